"""Lightning's Trainer: checks the arguments that a config gives, and makes the Trainer of a run."""

import math
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.errors.exit_codes import TRY_AGAIN
from tl_search.errors.limits import LARGEST_RATE, MOST_STEPS, between
from tl_search.training.entries import instantiate
from tl_search.training.limits import ADDED, check_limits
from tl_search.training.own_parts import making

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer
    from lightning.pytorch.loggers import Logger

    from tl_search.training.saving import BackgroundWriter

# What each argument of Lightning's Trainer decides of a run (`runs/identity.py`); all others decide the weights.
STEPS = frozenset({"max_steps", "max_epochs"})
FREE = frozenset({"accelerator", "devices", "num_nodes", "strategy", "log_every_n_steps", "profiler"})

# Lightning's own lists, repeated here since importing Lightning to check a word takes seconds.
_ACCELERATORS = ("auto", "cpu", "cuda", "gpu", "mps", "tpu")
_PRECISIONS = ("32-true", "bf16-mixed", "bf16-true", "16-mixed", "16-true", "64-true", "bf16", 16, 32, 64)
_MOST_DEVICES = 1024  # of one machine
_MOST = {"max_steps": MOST_STEPS, "max_epochs": 10**9, "accumulate_grad_batches": 10**6}
# Set by the run, which measures, logs and reports its progress by itself.
_FIXED = {
    "num_sanity_val_steps": 0,
    "limit_val_batches": 0,
    "use_distributed_sampler": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
_OWN = frozenset({*_FIXED.keys() - ADDED.keys(), "callbacks", "logger", "plugins", "default_root_dir"})
# Arguments that would end a run or its epochs at other steps than its horizon says; `max_time` would also count the
# time before a resume.
_ENDS = ("max_time", "min_steps", "min_epochs")


def check_trainer(given: Mapping[str, Any]) -> None:
    """Raises ValueError for arguments that Lightning would accept silently, or refuse only once data are ready."""
    for name in sorted(_OWN & set(given)):
        raise ValueError(f"trainer.{name}: {why_left_out(name)}, got {given[name]!r}")
    for name in _ENDS:
        if given.get(name) is not None:
            raise ValueError(f"trainer.{name}: {why_left_out(name)}, got {given[name]!r}")
    check_limits(given)
    device_count(given)
    for name, value in given.items():
        if isinstance(value, Mapping) and "_target_" not in value:
            raise ValueError(f"trainer.{name}: must be a value or a node with its _target_, got {dict(value)}")
    if given.get("num_nodes") not in (None, 1):
        raise ValueError(f"trainer.num_nodes: must be 1, since a run uses one machine, got {given['num_nodes']}")
    for name, default in (("max_steps", -1), ("max_epochs", -1), ("accumulate_grad_batches", 1)):
        value = default if given.get(name) is None else given[name]
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"trainer.{name}: must be an integer, got {value!r}")
        between(1 if name == "accumulate_grad_batches" else -math.inf, _MOST[name], **{f"trainer.{name}": value})
    between(0, MOST_STEPS, **{"trainer.log_every_n_steps": given.get("log_every_n_steps")})
    between(0, MOST_STEPS, **{"trainer.fast_dev_run": given.get("fast_dev_run")})
    if max(given.get("max_steps") or -1, given.get("max_epochs") or -1) < 1:
        raise ValueError(f"trainer.max_steps: must be >= 1, got {given.get('max_steps')}")
    for name, known in (("accelerator", _ACCELERATORS), ("precision", _PRECISIONS)):
        value = given.get(name)
        if isinstance(value, str | int) and value not in (*known, *map(str, known)):
            raise ValueError(f"trainer.{name}: must be one of {', '.join(map(str, known))}, got {value!r}")
    if _is_half(given) and given.get("accelerator") == "cpu":
        raise ValueError(f"trainer.precision: must be 32-true, bf16-mixed, … on a CPU, got {given['precision']}")
    clip = given.get("gradient_clip_val")
    if clip is not None and not (isinstance(clip, int | float) and 0 <= clip < math.inf):  # < 0 reverses steps
        raise ValueError(f"trainer.gradient_clip_val: must be a finite number >= 0 or null, got {clip!r}")
    between(0, LARGEST_RATE, **{"trainer.gradient_clip_val": clip})


def why_left_out(name: str) -> str | None:
    """Why an argument of the Trainer is refused, whatever its value; None where it is not."""
    if name in _OWN:
        return "must be left out, since the run sets it"
    return "must be left out, since a run ends at max_steps or max_epochs" if name in _ENDS else None


def device_count(given: Mapping[str, Any]) -> int:
    """On how many devices a run trains; each reads its own batches. Raises ValueError.

    `auto` is one device, whatever the machine has: a run must not read other batches on another machine.
    """
    devices = given.get("devices", 1)
    if isinstance(devices, list | tuple) and devices and all(isinstance(one, int) and one >= 0 for one in devices):
        between(0, _MOST_DEVICES, **{f"trainer.devices[{place}]": one for place, one in enumerate(devices)})
        return len(set(devices))
    if devices in (None, "auto"):
        return 1
    text = str(devices)
    if isinstance(devices, int | str) and text.isascii() and text.isdecimal() and int(text) >= 1:
        between(1, _MOST_DEVICES, **{"trainer.devices": int(text)})
        return int(text)
    raise ValueError(f"trainer.devices: must be a number >= 1, a list of device numbers or auto, got {devices!r}")


def last_step(trainer: Mapping[str, Any], steps_per_epoch: int, begins: int = 0) -> int:
    """The last step of a run: the lower of `max_steps` and `max_epochs`, where both are given.

    Args:
        begins: The step from which epochs are counted; above 0 in a branch that begins the text anew.
    """
    steps, epochs = trainer.get("max_steps") or -1, trainer.get("max_epochs") or -1
    return min(limit for limit in (steps, begins * (epochs > 0) + epochs * steps_per_epoch) if limit > 0)


def make_trainer(
    given: Mapping[str, Any],
    folder: Path,
    total: int,
    callbacks: "list[Callback]",
    loggers: "list[Logger]",
    saves: "BackgroundWriter | None" = None,
) -> "Trainer":
    """The Trainer of a run of `total` steps in `folder`. Raises ValueError for arguments that Lightning refuses."""
    import torch
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch import Trainer
    from lightning.pytorch.plugins.environments import LightningEnvironment, SLURMEnvironment

    from tl_search.training.checkpoint_io import AtomicCheckpointIO

    plugins: list[Any] = [AtomicCheckpointIO(saves)]
    if device_count(given) > 1:  # the run starts its ranks itself, also inside a SLURM job
        plugins.append(LightningEnvironment())
    elif SLURMEnvironment.detect():
        plugins.append(_slurm_environment())
    own = {"callbacks": callbacks, "logger": loggers or False, "plugins": plugins, "default_root_dir": folder}
    kept = {key: _part(key, value) for key, value in given.items() if key != "_target_" and key not in ADDED}
    if kept.get("devices") in (None, "auto"):
        kept["devices"] = 1
    if device_count(given) > 2 and kept.get("strategy") in (None, "auto", "ddp") and not torch.cuda.is_available():
        # otherwise DDP rearranges its buckets after the first step, also of a resumed run: three or more ranks would
        # then add gradients in another order, and the resumed run would not have the same bits
        kept["strategy"] = "ddp_find_unused_parameters_true"
    try:
        trainer = Trainer(**{**kept, **_FIXED, **own, "max_steps": total, "max_epochs": -1})
        if _is_half(given) and trainer.strategy.root_device.type == "cpu":  # Lightning would use another precision
            raise ValueError(f"precision: must be 32-true, bf16-mixed, … on a CPU, got {given['precision']}")
        return trainer
    # such as a device that this machine does not have
    except (MisconfigurationException, ImportError, RuntimeError, ValueError, TypeError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"trainer.{said}" if said.startswith("precision: ") else f"trainer: {said}") from error


def _part(name: str, value: Any) -> Any:
    """An argument of the Trainer, made where it is a node, such as a profiler."""
    if not isinstance(value, Mapping):
        return value
    with making(f"trainer.{name}", value):
        return instantiate(value)


def _slurm_environment() -> Any:
    """SLURM's job without Lightning's own requeueing, which would save and then train on until the job is killed."""
    from lightning.pytorch.plugins.environments import SLURMEnvironment

    try:
        return SLURMEnvironment(auto_requeue=False)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"SLURM_NTASKS: must be 1, since a run starts one process for each of trainer.devices by itself, got "
            f"{os.environ.get('SLURM_NTASKS')}; ask SLURM for --ntasks=1"
        ) from error


def _is_half(given: Mapping[str, Any]) -> bool:
    return str(given.get("precision")) in ("16-mixed", "16-true", "16")


class EndedEarly(Exception):  # noqa: N818  # it is no error: a callback is there for it
    """A callback has ended the run at a step that has a revision, which is its last one."""

    def __init__(self, step: int, total: int, reason: str) -> None:
        super().__init__(step, total, reason)
        self.step, self.total, self.reason = step, total, reason

    def __str__(self) -> str:
        return f"training ended early, at step {self.step} of {self.total}: {self.reason}"


def check_end(trainer: "Trainer", steps: Collection[int], total: int) -> None:
    """Raises EndedEarly, or SystemExit(75) between two revisions, when Lightning has ended before the last step."""
    from lightning.pytorch.callbacks import EarlyStopping

    from tl_search.training.callbacks.early_end import EarlyEnd
    from tl_search.training.callbacks.neighbours import neighbours

    step = trainer.global_step
    if step >= total:
        return
    stoppers = neighbours(trainer, EarlyStopping)
    told = next((found.stopping_reason_message for found in stoppers if found.stopping_reason_message), None)
    reason = " ".join((told or "a callback asked for it").split()).removesuffix(". Signaling Trainer to stop.")
    if step in steps or step == EarlyEnd.step_of(trainer):
        raise EndedEarly(step, total, reason)
    error = SystemExit(TRY_AGAIN)
    error.add_note(f"training was stopped at step {step} of {total}, which has no revision: {reason}; "
                   "the same command continues from the newest state")  # fmt: skip
    raise error
