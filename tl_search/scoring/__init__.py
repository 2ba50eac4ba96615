"""Floor 3: turns vectors into scores; a score is what mteb's own evaluation gives.

`catalogue` finds tasks by name, `tasks/` holds our own; `suites` are lists of tasks. `texts` lists the texts that an
evaluation needs, `training_texts` those of a training split. `encoder` gives mteb vectors that exist already, and
`evaluation` runs mteb on one split and gives a cell its score, `resample` and `replicates` its bootstrap
replicates; `ledger` keeps both on disk.
"""
