"""mteb seeds the generators of `random`, numpy and torch for the whole process; callers must not notice."""

import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed_randomness() -> Iterator[None]:
    """Whatever was random before the block goes on afterwards as if nothing had happened."""
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
