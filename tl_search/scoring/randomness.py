"""Keeps mteb, which seeds the generators of `random`, numpy and torch, from changing those of the process."""

import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed_randomness() -> Iterator[None]:
    """After the block, the generators of `random`, numpy and torch have the state that they had before it."""
    import numpy as np
    import torch

    python, arrays = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(arrays)
