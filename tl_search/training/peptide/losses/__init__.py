"""Loss terms of peptide sequencing, one module each, named as a curriculum names them.

Each has a function loss(logits, batch, masses), as in `next_token`.
"""
