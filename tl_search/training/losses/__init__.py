"""Loss terms, one module each, named as a curriculum names them.

Each has a function loss(logits, targets), as in `next_token`.
"""
