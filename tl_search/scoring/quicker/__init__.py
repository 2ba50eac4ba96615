"""What mteb computes slowly, made quicker with equal scores."""
