"""Floor 3: a revision and texts in, a vector of every text at every layer out, in one forward pass.

Start at `embed`, which puts one column into the store; it asks a `session` for the model, texts and devices that
columns share. What is measured without labels is in `measuring/`.
"""
