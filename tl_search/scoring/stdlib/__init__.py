"""What the embedded tasks are made of: the standard library's source."""
