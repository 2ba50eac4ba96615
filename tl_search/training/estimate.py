"""Estimates, before a run starts, how many bytes on disk and how many seconds it will need."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from tl_search.training.callbacks.best import Best
from tl_search.training.tokens import ByteTokenizer, TokenizerConfig

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan

# The share of a large matrix multiplication's speed that training reaches: 0.46 in PaLM (Chowdhery et al., 2022,
# arXiv:2204.02311, table 3), less in small models.
EFFICIENCY = 0.4


def vocabulary(tokenizer: TokenizerConfig) -> int | None:
    """Tokens in a tokenizer's vocabulary, if its settings say so without building it; else None."""
    if isinstance(tokenizer, ByteTokenizer):
        return len(tokenizer.build())
    return getattr(tokenizer, "vocab_size", None)


def revision_bytes(parameters: int) -> int:
    """Bytes of one revision's weights, in float32."""
    return 4 * parameters


def state_bytes(parameters: int, ema: bool) -> int:
    """Bytes of a full training state: weights and Adam's two moments, in float32; with `ema` also the average."""
    return (16 if ema else 12) * parameters


def best_kept(plan: "TrainingPlan") -> tuple[int, int]:
    """(models, training states) that the run keeps as the best, at most, beside those of scheduled steps."""
    found = [entry for entry in plan.callbacks.values() if isinstance(entry, Best)]
    return len(found), sum(entry.save_top_k for entry in found)


def states_kept(plan: "TrainingPlan", steps: Collection[int]) -> int:
    """Most training states on disk at the end: the newest, the best and those that are never removed."""
    return plan.checkpoint.save_last + best_kept(plan)[1] + len(plan.checkpoint.for_good(steps))


def machine_speed(trainer: Mapping[str, Any], seconds: float = 0.3) -> float:
    """Floating-point operations per second of a large matrix multiplication, measured on one device of this machine.

    Args:
        trainer: The settings of the Trainer; `accelerator` and `precision` are used.
        seconds: How long to measure.
    """
    import torch
    from torch.utils.benchmark import Timer

    wanted = str(trainer.get("accelerator", "auto"))
    device = "cuda" if wanted in ("auto", "gpu", "cuda") and torch.cuda.is_available() else "cpu"
    half = {"bf16": torch.bfloat16, "16": torch.float16}.get(str(trainer.get("precision")).partition("-")[0])
    size = 4096 if device == "cuda" else 1024
    left = torch.randn(size, size, device=device, dtype=half or torch.float32)
    timer = Timer("left @ left", globals={"left": left}, num_threads=torch.get_num_threads())
    return 2 * size**3 / min(timer.blocked_autorange(min_run_time=seconds).times)
