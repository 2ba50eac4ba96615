"""Floor 2: one run directory, opened through one door. What lies in it, who it is, where it can go on, what it found."""
