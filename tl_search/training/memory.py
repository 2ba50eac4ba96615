"""Whether a model fits into the memory of the machine, in one line where it does not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tl_search.errors.kinds import PartFailed


def check_memory(parameters: int) -> None:
    """Raises ValueError where float32 weights alone, which are drawn on the CPU, need more memory than there is.

    Args:
        parameters: How many weights the model has at least.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with suppress(OSError, ValueError):  # no such file, or no limit: not in a container, or in one that may take all
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    if 4 * parameters > min(limits):
        raise ValueError(
            f"model: must fit into this machine's memory of {min(limits) / 2**30:,.1f} GiB, but its {parameters:,} "
            f"weights alone take {4 * parameters / 2**30:,.1f} GiB"
        )


@contextmanager
def enough_memory(what: str) -> Iterator[None]:
    """Raises PartFailed, which begins with `what`, where memory is not enough for the work within the block."""
    try:
        yield
    except Exception as error:
        if not is_memory(error):
            raise
        raise PartFailed(f"{what}: does not fit into the memory ({' '.join(str(error).split())})") from error


def is_memory(error: BaseException) -> bool:
    """Whether an error says that memory was not enough; torch has a class of its own for GPUs only."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"MemoryError", "OutOfMemoryError"}) or "can't allocate memory" in str(error)
