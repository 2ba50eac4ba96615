"""Jobs that are only tried (`debug=true`, `trainer.fast_dev_run=true`): they write into a folder that is removed."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from tl_search.cli.config.allowlist import walk
from tl_search.cli.config.compose import CommandLine, quoted
from tl_search.cli.config.recorded import SHARED
from tl_search.errors.kinds import BadInput

_HERE = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def is_tried(config: DictConfig) -> bool:
    """Whether a job is only tried."""
    return bool(config.get("debug") or OmegaConf.select(config, "trainer.fast_dev_run"))


@contextmanager
def in_passing(line: CommandLine, configs: Sequence[DictConfig]) -> Iterator[CommandLine]:
    """The command line with every place that its jobs write to in a temporary folder, which is removed afterwards.

    Raises:
        BadInput: only some of the jobs are tried, or a launcher would run them elsewhere.
    """
    word = "debug" if any(config.get("debug") for config in configs) else "trainer.fast_dev_run"
    if not all(map(is_tried, configs)):
        raise BadInput(f"{word}: must be given to all jobs of a sweep or to none, since nothing of a tried one is kept")
    launcher = next((str(config.hydra.launcher._target_) for config in configs), _HERE)
    if launcher != _HERE:
        raise BadInput(f"launchers: must be left out with {word}, which is run here, got {launcher.rpartition('.')[2]}")
    with tempfile.TemporaryDirectory(prefix="tl-debug-") as folder:
        places = dict.fromkeys(place for config in configs for place in _places(config))
        words = [f"{place}={quoted(str(Path(folder, place.rpartition('.')[2])))}" for place in places]
        yield replace(line, overrides=(*line.overrides, *words))
    print(f"{word}: this was only tried, and nothing of it was kept", file=sys.stderr, flush=True)


def _places(config: DictConfig) -> Iterator[str]:
    """The settings that name a folder which runs share, also those of callbacks."""
    for path, key, value in walk(OmegaConf.to_container(config, resolve=False)):
        if key in SHARED and isinstance(value, str) and not path.startswith("hydra") and "[" not in path:
            yield f"{path}.{key}" if path else key
