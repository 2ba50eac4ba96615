"""Measuring a column without labels, in one pass over its texts. Each metric is a file in `probe/metrics/`.

Start at `column`, which measures all layers of one revision; `metric` says what a metric must declare.
"""
