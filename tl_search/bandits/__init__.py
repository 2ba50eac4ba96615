"""Floor 3: which cells to score next. numpy and scipy only; no torch, no mteb, no files.

Every policy keeps the interface in `policy` and a `history` of what it was told. `ucb` and `ts` share one loop, `gp`:
they name candidate arms, `posterior` (over `features`) predicts scores, and `knowledge_gradient` chooses the arm and
its `task_groups`. `random` and `exhaustive` have no surrogate model and score in a `fixed_order`. `stopping` says when
a search may end early.
"""
