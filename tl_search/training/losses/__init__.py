"""Loss terms, one module each, named as a curriculum names them; each has a function `loss(logits, targets)`."""
