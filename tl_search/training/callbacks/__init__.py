"""What happens when, beside the training itself: each acts in one place and leaves decisions to its parts.

Named by config: `progress`, `finite_loss`, `best`. Wired by `fit` in any case: `listening`, `measurements`,
`batch_seed`, `ema` (where there is a decay), `evaluation`, `metrics`, `scheduled_checkpoint`, `resume_state`.
`neighbours` is how one finds another.
"""
