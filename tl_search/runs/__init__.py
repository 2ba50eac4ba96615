"""Floor 2: the run directory: its files, the identity of the run, the states from which it resumes, its results.

Start at `layout`, the places of its files, and `record`, which says on disk what the run is.
"""
