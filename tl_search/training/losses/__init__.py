"""Loss terms, one module each, named as a curriculum names them.

Each has a function loss(logits, targets), as in `next_token`, or an object that is called so, of a class whose
fields are settings, as in `contrastive`.
"""
