"""Measuring a column without labels. The metrics themselves are plug-ins, a file each in `probe/metrics/`.

From the outside in: which metrics, on which texts (`config`), a column measured in one pass (`column`), token states
gathered while it runs (`prompts`), noisy views of texts (`views`), what a metric is (`metric`), its value over batches
of texts (`accumulate`), and the spectra that most metrics start from (`spectrum`).
"""
