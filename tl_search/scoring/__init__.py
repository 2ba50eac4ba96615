"""Floor 3: turns vectors into scores; a score is what mteb's own evaluation gives.

Start at `evaluation`, which gives a cell its score; the `ledger` keeps it on disk. Our own tasks are in `tasks/`.
"""
