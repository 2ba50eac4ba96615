"""Floor 3: a revision and texts in, a vector of every text at every layer out, in one forward pass.

From the outside in: one column into the store (`embed`), settings (`config`), texts to batches (`batching`,
`packing`), weights to a model (`loading`), the pass (`module`), which states a layer has (`states`), how tokens become
a vector (`pooling`).
"""
