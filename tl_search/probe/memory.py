"""Recognises out-of-memory errors, and frees the memory of a forward pass that failed."""

import gc

import torch

# The second and third are said of a CPU; the last by CUDA's libraries, which allocate memory of their own.
_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "status_alloc_failed")


def is_full(error: BaseException) -> bool:
    """Whether the error says that memory did not suffice."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def release(device: torch.device) -> None:
    """Free memory that no object uses any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
