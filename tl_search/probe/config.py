"""On which devices and with which batch size the probe runs. No setting here changes a vector or an arm's identity."""

from dataclasses import dataclass, replace
from typing import ClassVar

from tl_search.errors.limits import between
from tl_search.errors.nearest import did_you_mean
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.runs.accelerators import count_of

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")


@dataclass(frozen=True)
class ProbeConfig:
    """Device and batch size of the forward passes.

    Args:
        accelerator: Lightning's name of the kind of device: auto, cpu, gpu, cuda or mps.
        devices: How many devices share a column's texts, >= 1. The vectors are those of one device, bit for bit. Each
            further device has a process, which lives as long as the search. More than one process on a CPU is meant
            for trying it out, since one process uses all cores already.
        tokens_per_batch: Tokens in one forward pass, >= 1; None = 2048 on a CPU, 16384 elsewhere.

    Raises:
        ValueError: a value breaks its rule; the message begins with its name.
    """

    accelerator: str = "auto"
    devices: int = 1
    tokens_per_batch: int | None = None

    DECIDES: ClassVar = {"files": "tokens_per_batch", "free": "accelerator devices"}

    def __post_init__(self) -> None:
        if self.accelerator not in ACCELERATORS:
            hint = did_you_mean(self.accelerator, ACCELERATORS)
            raise ValueError(f"accelerator: must be one of {', '.join(ACCELERATORS)}, got {self.accelerator!r}{hint}")
        between(1, 10**9, devices=self.devices, tokens_per_batch=self.tokens_per_batch)


def check_device(probe: ProbeConfig) -> None:
    """Raise ValueError when this machine lacks the devices, so that a search fails before it has begun."""
    if probe.accelerator in ("auto", "cpu") and probe.devices == 1:
        return
    try:
        count = count_of(probe.accelerator)
    except ValueError as error:
        raise ValueError(f"probe.{error}") from error
    if probe.devices > max(count, 1):
        limit = f"between 1 and {count}" if count > 1 else "1"
        what = "CPU cores" if probe.accelerator == "cpu" else "GPUs"
        raise ValueError(f"probe.devices: must be {limit} (there are {count} {what}), got {probe.devices}")


def settled(extraction: Extraction, accelerator: str) -> Extraction:
    """The extraction with `dtype: auto` replaced: by bf16 on a GPU that computes in it, elsewhere by fp32."""
    if extraction.dtype is not Dtype.auto:
        return extraction
    if accelerator in ("cpu", "mps"):
        return replace(extraction, dtype=Dtype.float32)
    import torch

    capable = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return replace(extraction, dtype=Dtype.bfloat16 if capable else Dtype.float32)
