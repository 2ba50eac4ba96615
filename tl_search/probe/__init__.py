"""Floor 3: a revision and texts in, a vector of every text at every layer out, in one forward pass.

From the outside in: one column into the store (`embed`), what can be wrong with it (`faults`), settings (`config`),
one device's part (`work`, `predict`) and the other devices (`ranks`), texts to token ids (`tokens`), ids to batches
(`batching`, `packing`), weights to a model (`loading`) that is kept for the next revision (`kept`), the pass
(`module`), when it does not fit (`memory`), who else looks at it (`observe`), which states a layer has (`states`), how
tokens become a vector (`pooling`).
"""
