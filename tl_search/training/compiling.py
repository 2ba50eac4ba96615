"""torch.compile for a model that is trained; in place, so that the names of weights on disk stay the same."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tl_search.errors.ranks import chain

if TYPE_CHECKING:
    from torch.nn import Module

_COMPILER = ("torch._dynamo", "torch._inductor", "triton")


@contextmanager
def compiled(model: "Module", wanted: bool) -> Iterator[None]:
    """Within the block the model's calls are compiled, if `wanted`. Raises ValueError where torch cannot do it.

    `torch.compile(model)` would wrap the model, and every weight's name would begin with `_orig_mod.`.
    """
    if wanted:
        model.compile()
    try:
        yield
    except Exception as error:
        cause = next((one for one in chain(error) if type(one).__module__.startswith(_COMPILER)), None)
        if not wanted or cause is None:
            raise
        hint = "" if shutil.which("c++") or shutil.which("g++") else " (there is no C++ compiler on the path)"
        line = next((text for text in str(cause).splitlines() if text.strip()), type(cause).__name__)
        raise ValueError(f"compile: must be false, since torch cannot compile the model here{hint}: {line}") from error
