"""What can be said of a layer without labels: one metric per file, a function and a `torchmetrics.Metric` over it.

From the outside in: what is measured (`config`), a column of the plane measured in one pass (`column`), noisy views of
texts (`views`), how batches add up (`accumulate`), the metrics, and the spectra under most of them (`spectrum`).
"""
