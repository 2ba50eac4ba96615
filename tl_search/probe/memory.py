"""Out of memory: how it is told, and how what a failed pass held is given back."""

import gc

import torch

# the second and third: a CPU's; the last: of CUDA's libraries, which allocate for themselves
_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "status_alloc_failed")


def is_full(error: BaseException) -> bool:
    """Whether the error says that memory did not suffice."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def release(device: torch.device) -> None:
    """Give back what nobody holds any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
