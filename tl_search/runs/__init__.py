"""Floor 2: the run directory: its files, the identity of the run, the states from which it resumes, its results."""
