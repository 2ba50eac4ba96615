"""Floor 3: turns vectors into scores; a score is what mteb's own evaluation gives.

Start at `evaluation`, which gives a cell its score; the `ledger` keeps it on disk. `uncertainty/` adds the standard
error, `quicker/` is what saves time, `parts/` says which items are scored. Our own tasks are in `tasks/`, made of what
`stdlib/` reads; those of a person come from a `folder/`.
"""
