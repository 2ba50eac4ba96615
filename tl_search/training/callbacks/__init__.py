"""What happens during training besides the training itself. Each callback acts in one place.

A config may name `progress`, `finite_loss` and `best`; `fit` adds the others to every run. `neighbours` is how one
callback finds another.
"""
