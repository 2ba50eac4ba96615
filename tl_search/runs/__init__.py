"""Floor 2: one run directory, opened through one door: what lies in it, who it is, where it goes on, what it found."""
