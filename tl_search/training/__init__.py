"""Floor 3: trains a language model and saves its checkpoints as revisions, which form the plane.

Start at `fit`, which builds a run from a `plan` and trains it; `timeline` says what holds at each step. Callbacks are
in `callbacks/`, loss terms in `losses/` and model families in `families/`.
"""
