"""Floor 3: which cells to score next. numpy and scipy only; no torch, no mteb, no files.

What a search asks of a policy (`policy`) and what a policy remembers (`record`); the two Gaussian-process
policies (`ucb`, `ts`) over one loop (`gp`): price groups (`rungs`), kernels as features (`features`), belief
(`posterior`), gain per second (`acquisition`); the two that believe nothing (`random`, `exhaustive`); when to end
(`stopping`).
"""
