"""What Hydra carries out by itself, before our code runs: its launcher and sweeper, logging, the job's environment.

An interpolation can bring in what a check of the files does not see, and can mean something else later. So these parts
are resolved first; the result is checked, and the result is what Hydra gets.
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf, flag_override

from tl_search.cli.config.convert import convert
from tl_search.cli.config.job_folder import SETTING, check_owner, job_folder
from tl_search.cli.config.logging_config import LOG_FOLDER, check_logging
from tl_search.errors.kinds import BadInput
from tl_search.errors.limits import between
from tl_search.errors.nearest import suggest

# The classes of Hydra's that may start jobs → the names of their schemas.
CLASSES = {
    "launcher": {
        "hydra._internal.core_plugins.basic_launcher.BasicLauncher": "basic",
        "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher": "submitit_local",
        "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher": "submitit_slurm",
    },
    "sweeper": {"hydra._internal.core_plugins.basic_sweeper.BasicSweeper": "basic"},
}
# Environment variables that change how fast a job computes, and neither what it runs nor whom it talks to.
ENVIRONMENT = re.compile(
    r"(?:OMP|MKL|OPENBLAS|NUMEXPR)_NUM_THREADS|(?:CUDA|ROCR|HIP)_VISIBLE_DEVICES|TOKENIZERS_PARALLELISM"
    r"|CUBLAS_WORKSPACE_CONFIG|PYTORCH_(?:CUDA_|HIP_)?ALLOC_CONF|NCCL_(?:DEBUG|TIMEOUT|P2P_DISABLE|IB_DISABLE)"
)
# Flags of sbatch that choose where and when a job runs, and not what.
SBATCH = ("begin", "clusters", "constraint", "deadline", "hint", "licenses", "mail-type", "mail-user", "nice",
          "reservation", "switches", "time-min")  # fmt: skip
_AT_LEAST_ONE = {"nodes", "tasks_per_node", "cpus_per_task", "array_parallelism", "timeout_min", "max_batch_size"}
MODULE = re.compile(r"module (?:purge|(?:load|unload|swap)(?: [A-Za-z0-9][\w.+-]*(?:/[\w.+-]+)*)+)")
COPIED = "hydra.job.env_copy: must be left out, since the values would be written into the run"
_DEEPEST = 20


def settle(config: DictConfig, overrides: Sequence[str]) -> None:
    """Resolve and check what Hydra carries out of a composed config; the results take the place of what was there.

    Args:
        overrides: Those with which it was composed.

    Raises:
        BadInput: something is not allowed there.
    """
    hydra = config.hydra
    settled: dict[str, Any] = {}
    with flag_override(config, ["struct", "readonly"], [False, False]):
        for node, key in (
            (hydra.job, "name"),
            (hydra, "output_subdir"),
            (hydra.job, "env_set"),
            (hydra.job, "env_copy"),
        ):
            node[key] = settled[key] = _plain(node, key, str(node._get_full_key(key)))
        _check_names({"job.name": settled["name"], "output_subdir": settled["output_subdir"]})
        _check_environment(settled["env_set"], settled["env_copy"])
        for part in ("callbacks", "launcher", "sweeper", "hydra_logging", "job_logging"):
            value = _plain(hydra, part, f"hydra.{part}", job=str(settled["name"]))
            _check_part(part, value, overrides)
            if part == "launcher":
                _check_folder(value, hydra)
            hydra[part] = value
        convert(_plain(hydra, "verbose", "hydra.verbose"), bool | str | list[str], "hydra.verbose")
        if hydra.job.chdir:
            raise BadInput("hydra.job.chdir: must be false, since a run's paths begin where the command is given")


def _plain(node: Any, key: Any, path: str, job: str = "", depth: int = 0) -> Any:
    """The value at a key with every interpolation replaced, but for the run directory, which is known only later."""
    from tl_search.cli.config.hydra_errors import readable

    if depth > _DEEPEST:
        raise BadInput(f"{path}: is nested more than {_DEEPEST} deep")
    if OmegaConf.is_missing(node, key):
        return "???"
    raw = node._get_node(key)
    text = raw._value() if OmegaConf.is_interpolation(node, key) else None
    if isinstance(text, str) and text.startswith(LOG_FOLDER):
        text = text.replace("${hydra.job.name}", job)
        if "${" not in text.removeprefix(LOG_FOLDER):
            return text
    with readable():
        value = node[key]
    if isinstance(value, DictConfig):
        return {name: _plain(value, name, f"{path}.{name!s}", job, depth + 1) for name in value}
    if isinstance(value, ListConfig):
        return [_plain(value, number, f"{path}[{number}]", job, depth + 1) for number in range(len(value))]
    if isinstance(value, str) and "${" in value:
        raise BadInput(f"{path}: must not hold an interpolation after it was resolved, got {value!r}")
    if not isinstance(value, (str, int, float, bool, type(None))):
        raise BadInput(f"{path}: must be a plain value, got a {type(value).__name__}")
    return value


def _check_names(given: Mapping[str, Any]) -> None:
    for key, name in given.items():
        if name is not None and not re.fullmatch(r"\.?[A-Za-z0-9_-]+", str(name)):
            raise BadInput(f"hydra.{key}: must be a plain name, got {str(name)!r}: it is a file in the run's directory")


def _check_environment(given: Mapping[str, Any] | None, copied: Sequence[str] | None) -> None:
    if copied:
        raise BadInput(COPIED)
    for name in given or {}:
        if not ENVIRONMENT.fullmatch(name):
            raise BadInput(
                f"hydra.job.env_set.{name}: must be set in the environment itself; a config may set only what changes "
                "the speed of a job, such as OMP_NUM_THREADS and CUDA_VISIBLE_DEVICES"
            )


def _check_part(part: str, value: Any, overrides: Sequence[str]) -> None:
    if part == "callbacks":
        if value:
            raise BadInput(f"hydra.callbacks: are not allowed, since each would run code, got {', '.join(value)}")
    elif part in CLASSES:
        _check_class(part, value, overrides)
    else:
        check_logging(value, f"hydra.{part}")


def _check_class(part: str, value: Any, overrides: Sequence[str]) -> None:
    """Refuse another class than those that start jobs, unknown arguments, and shell code in known ones."""
    from hydra.core.config_store import ConfigStore
    from omegaconf.errors import OmegaConfBaseException

    where, known = f"hydra.{part}", CLASSES[part]
    target = value.get("_target_") if isinstance(value, Mapping) else value
    if target not in known:
        raise BadInput(f"{where}._target_: {target} is not allowed here (allowed: {', '.join(known)})")
    schema = ConfigStore.instance().load(f"hydra/{part}/{known[target]}.yaml").node
    for key in value:
        if key not in schema:
            raise BadInput(f"{where}.{key}: unknown key{suggest(str(key), map(str, schema))}")
    try:
        OmegaConf.merge(schema, value)
    except OmegaConfBaseException as error:
        raise BadInput(f"{where}.{error.full_key}: {str(error).partition(chr(10))[0]}") from error
    for key, number in value.items():
        if isinstance(number, int) and not isinstance(number, bool):
            between(int(key in _AT_LEAST_ONE), 10**9, **{f"{where}.{key}": number})
    for path, text in _texts(value, where):
        if part == "launcher" and not text.isprintable():  # a new line ends a comment of the job's script
            raise BadInput(f"{path}: must be one line without control characters, got {text!r}")
    for key, item in (value.get("additional_parameters") or {}).items():
        if key not in SBATCH or not isinstance(item, (str, int, float)):
            raise BadInput(f"{where}.additional_parameters.{key}: is not allowed here (allowed: {', '.join(SBATCH)})")
    if not _of_the_person(overrides, f"{where}.setup"):
        for line in value.get("setup") or ():
            if not MODULE.fullmatch(str(line)):
                raise BadInput(
                    f"{where}.setup: a file may only load modules (module load NAME), got {line!r}; "
                    "give other shell lines on the command line, if they are yours"
                )


def check_slurm(launcher: Mapping[str, Any]) -> None:
    """Refuse to send jobs to a cluster that is not there. Raises BadInput."""
    if str(launcher.get("_target_")).endswith(".SlurmLauncher") and shutil.which("srun") is None:
        raise BadInput(
            "hydra/launcher: must be left out, or be submitit_local, since there is no SLURM here (no srun is found)"
        )


def _of_the_person(overrides: Sequence[str], key: str) -> bool:
    """Whether a value stands whole on the command line."""
    return any(word.lstrip("+").startswith(f"{key}=") and "${" not in word for word in overrides)


def _check_folder(launcher: Mapping[str, Any], hydra: DictConfig) -> None:
    """Refuse a folder for the pickles of jobs, which are carried out from there, that is elsewhere or of others."""
    folder = launcher.get("submitit_folder")
    if folder is None or OmegaConf.is_missing(hydra.sweep, "dir"):
        return
    if not Path(folder).resolve().is_relative_to(Path(hydra.sweep.dir).resolve()):
        raise BadInput(f"{SETTING}: must be in {hydra.sweep.dir!s}, got {folder}")
    check_owner(job_folder(folder))


def _texts(value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [(path, str(key)) for key in value] + [
            found for key, item in value.items() for found in _texts(item, f"{path}.{key!s}")
        ]
    if isinstance(value, list):
        return [found for number, item in enumerate(value) for found in _texts(item, f"{path}[{number}]")]
    return [(path, value)] if isinstance(value, str) else []
