"""How many devices of a kind this machine has, told without importing torch where there is no GPU."""

import os
import sys
from pathlib import Path


def count_of(accelerator: str) -> int:
    """The number of devices that Lightning's name stands for: auto, cpu, gpu, cuda or mps; 0 only of auto.

    A CPU counts as one device for each of its cores.

    Raises:
        ValueError: there is none of the kind that is asked for.
    """
    if accelerator == "cpu":
        return os.cpu_count() or 1
    there, kinds = _gpus(), ("cuda", "mps") if accelerator in ("auto", "gpu") else (accelerator,)
    count = max(there[kind] for kind in kinds)
    if not count and accelerator != "auto":
        names = " or ".join(kind.upper() for kind in kinds)
        raise ValueError(f"accelerator: no {names} device here; must be auto or cpu, got {accelerator}")
    return count


def _gpus() -> dict[str, int]:
    """How many GPUs there are. Torch, which takes seconds, is not imported where Linux has no file of a GPU."""
    files = ("nvidia*", "nvhost*", "nvgpu*", "nvmap", "kfd", "dxg")
    if "torch" not in sys.modules and sys.platform == "linux" and not any(any(Path("/dev").glob(f)) for f in files):
        return {"cuda": 0, "mps": 0}
    import torch

    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {"cuda": cuda, "mps": int(torch.backends.mps.is_available())}
