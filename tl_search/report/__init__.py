"""Floor 4: reports on what a run found. It reads the run's files and nothing else.

Start at `write`, which writes and prints everything that fits the run: a search gets a page with pictures,
TensorBoard events and a summary in the terminal; a training run gets a table of its revisions.
"""
