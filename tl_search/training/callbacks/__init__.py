"""What happens during training besides the training itself, a callback per file.

A config names some of them in its callbacks; `training/fit.py` adds those that every run has, and puts them in order.
"""
