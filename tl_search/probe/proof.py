"""What a probe takes for granted of a model is tried on a few short texts before it is used.

The trial is in float32 whatever the model's dtype, since bfloat16's rounding would hide a wrong mask or position.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from tl_search.probe.batching import Batch, Batches
from tl_search.probe.memory import is_full
from tl_search.probe.states import model_name

# Norm of the difference relative to the norm of the vectors: far above float32's rounding, and far below the effect of
# a wrong norm, mask or position.
_TOLERANCE = 1e-4


class Sample:
    """Batches of three short texts of arbitrary tokens, two of them equally long, and of the three joined to one text.

    Attributes:
        alone: The three texts without padding: a batch of the first, and one of the others.
        packed: The three texts end to end.
        padded: The joined text, then the three.
    """

    def __init__(self, model: Any) -> None:
        size, pad = model.get_input_embeddings().num_embeddings, pad_id(model)
        tokens = torch.arange(1, 15) * 7 % size
        tokens = torch.where(tokens == pad, (tokens + 1) % size, tokens)  # some give it no position
        rows = [part.numpy() for part in tokens.split([6, 4, 4])]
        made = [
            Batches(rows[:1], 6, pad)[0],
            Batches(rows[1:], 8, pad)[0],
            Batches(rows, 14, None)[0],
            Batches([tokens.numpy(), *rows], 56, pad)[0],
        ]
        *self.alone, self.packed, self.padded = (_moved(batch, next(model.parameters()).device) for batch in made)

    def blend(self, alone: Tensor) -> Tensor:
        """The joined text's vectors if no token saw another one; then equal vectors would prove nothing."""
        weight = self.packed.lengths / self.packed.lengths.sum()
        return (alone * weight[:, None]).sum(1, keepdim=True)


def _moved(batch: Batch, device: torch.device) -> Batch:
    return batch._replace(**{name: getattr(batch, name).to(device) for name in ("ids", "lengths", "texts")})


def close(ours: Tensor, theirs: Tensor) -> bool:
    """Whether both are the same vectors (layer, text, width) in every layer; vectors that are not finite never are."""
    if ours.shape != theirs.shape or not bool(torch.isfinite(theirs).all()):
        return False
    apart = (ours - theirs).flatten(1).norm(dim=1)
    return bool((apart <= _TOLERANCE * theirs.flatten(1).norm(dim=1) + 1e-6).all())


def as_close(ours: Tensor, theirs: Tensor, wide: Tensor) -> bool:
    """Whether ours are at most twice as far as theirs from the vectors in float32 (layer, text, width), in every layer.

    Twice, since both are rounded differently, and a few short texts show the size of that only roughly.
    """
    far, allowed = ((vectors - wide).flatten(1).norm(dim=1) for vectors in (ours, theirs))
    return bool((far <= 2 * allowed + 1e-6 * wide.flatten(1).norm(dim=1)).all())


def pad_id(model: Any) -> int:
    """The id for padding. It is masked, so it matters only to models that look for its value."""
    pad = getattr(model.config, "pad_token_id", None)
    return pad if isinstance(pad, int) and 0 <= pad < model.get_input_embeddings().num_embeddings else 0


@contextmanager
def computing_in_float32(model: nn.Module, blocks: nn.ModuleList) -> Iterator[None]:
    """Until the block ends, the model computes in float32; afterwards its weights are the same, bit for bit.

    Each transformer block is converted only while it runs, since memory may not suffice for a second copy of the model.
    """
    inside = set(blocks.modules())
    with _widened([part for part in model.modules() if part not in inside]), ExitStack() as hooks:
        for block in blocks:
            wide = hooks.enter_context(ExitStack())  # closed by `hooks` when a pass ends inside the block

            def before(module: nn.Module, given: Any, wide: ExitStack = wide) -> None:
                wide.enter_context(_widened(module.modules()))

            def after(module: nn.Module, given: Any, output: Any, wide: ExitStack = wide) -> None:
                wide.close()

            hooks.callback(block.register_forward_pre_hook(before).remove)
            hooks.callback(block.register_forward_hook(after).remove)
        yield


@contextmanager
def _widened(modules: Iterable[nn.Module]) -> Iterator[None]:
    half = [
        (tensor, tensor.dtype)
        for module in modules
        for tensor in chain(module.parameters(recurse=False), module.buffers(recurse=False))
        if tensor.dtype in (torch.float16, torch.bfloat16)
    ]
    try:
        for tensor, _ in half:
            tensor.data = tensor.data.float()
        yield
    finally:
        for tensor, dtype in half:
            tensor.data = tensor.data.to(dtype)


@contextmanager
def naming_the_model(model: Any) -> Iterator[None]:
    """An error of the model's own code, or of a hook on it, becomes a ValueError of one line that names the model."""
    try:
        yield
    except Exception as error:
        if is_full(error):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"model: {model_name(model)} cannot be probed: a sample text fails in it ({type(error).__name__}: {reason})"
        ) from error
