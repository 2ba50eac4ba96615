"""What a run will cost, before it runs: bytes on disk and seconds. Estimates, and said to be so."""

import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from tl_search.training.callbacks.best import Best
from tl_search.training.tokens import ByteTokenizer, TokenizerConfig

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan

# Of a large multiplication's speed, what training reaches: 0.46 in PaLM's report (Chowdhery et al., 2022,
# arXiv:2204.02311, table 3), less in small models.
EFFICIENCY = 0.4


def vocabulary(tokenizer: TokenizerConfig) -> int | None:
    """Tokens that a tokenizer will know, as far as its settings tell without building it; None if they do not."""
    if isinstance(tokenizer, ByteTokenizer):
        return len(tokenizer.build())
    return getattr(tokenizer, "vocab_size", None)


def revision_bytes(parameters: int) -> int:
    """The weights of one revision, in float32."""
    return 4 * parameters


def state_bytes(parameters: int, ema: bool) -> int:
    """A full training state: weights and Adam's two moments, in float32; and the average, if there is one."""
    return (16 if ema else 12) * parameters


def best_kept(plan: "TrainingPlan") -> tuple[int, int]:
    """(models, training states) that are kept as the best, at most: of a step that is not scheduled, one of its own."""
    found = [entry for entry in plan.callbacks.values() if isinstance(entry, Best)]
    return len(found), sum(entry.save_top_k for entry in found)


def states_kept(plan: "TrainingPlan", steps: Collection[int]) -> int:
    """How many training states lie on disk at the end, at most: the newest, the best, and those kept for good."""
    return plan.checkpoint.save_last + best_kept(plan)[1] + len(plan.checkpoint.for_good(steps))


def machine_speed(trainer: Mapping[str, Any], seconds: float = 0.3) -> float:
    """Floating-point operations per second in a large matrix multiplication here, on one device of the trainer's kind.

    Args:
        trainer: Whose `accelerator` and `precision` are used.
        seconds: To measure for.
    """
    import torch

    wanted = str(trainer.get("accelerator", "auto"))
    device = "cuda" if wanted in ("auto", "gpu", "cuda") and torch.cuda.is_available() else "cpu"
    half = {"bf16": torch.bfloat16, "16": torch.float16}.get(str(trainer.get("precision")).partition("-")[0])
    size = 4096 if device == "cuda" else 1024
    left = torch.randn(size, size, device=device, dtype=half or torch.float32)

    def multiply() -> float:
        start = time.perf_counter()
        (left @ left).sum().item()  # reading a number waits for the device
        return time.perf_counter() - start

    multiply()  # the first one also starts the library
    end, best = time.perf_counter() + seconds, multiply()
    while time.perf_counter() < end:
        best = min(best, multiply())
    return 2 * size**3 / best
