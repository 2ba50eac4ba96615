"""Floor 3: a revision and texts in, a vector of every text at every layer out, in one forward pass.

From the outside in: one column into the store (`embed`), what can be wrong with it (`faults`), settings (`config`),
what columns share (`session`: a model in `model_cache`, texts as `tokens`, other devices' processes in `ranks`), one
device's share of a column (`work`, `predict`), ids to batches (`batching`, `packing`), weights to a model (`loading`),
the forward pass (`module`), what it takes for granted (`proof`, `positions`), memory that does not suffice (`memory`),
who else is shown token states (`observers`), which states a layer has (`states`), how tokens become a vector
(`pooling`). What is measured without labels is in `measuring/`, with a file per metric in `metrics/`.
"""
