"""Floor 3: which cells to score next. numpy and scipy only; no torch, no mteb, no files.

Start at `policy`, which says what every policy answers. Policies that predict scores share the loop in `gp`; those
that do not are a `fixed_order`.
"""
