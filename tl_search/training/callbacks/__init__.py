"""What happens when, beside the training itself: each acts in one place and leaves decisions to its parts.

Named by config: `progress`, `finite_loss`. Wired by `fit` in any case: `batch_seed`, `evaluation`, `metrics`,
`scheduled_checkpoint`, `resume_state`.
"""
