"""Floor 2: what lies in a run directory, what makes a run this run, where it goes on, and what it found.

Start at `layout`, the places of its files, and `record`, which says on disk what the run is.
"""
