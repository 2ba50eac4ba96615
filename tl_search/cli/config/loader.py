"""Hydra's own composing, with a check at the end: no config leaves it that would carry out what it may not.

Hydra composes more than once: to show a config, for a sweep as a whole, for each of its jobs, and again in the process
to which a launcher sends a job. All of that goes through a loader, which launchers send along, so the check is there.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

from hydra._internal import hydra as hydras
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tl_search import plugins
from tl_search.cli.config.carried_out import COPIED, settle
from tl_search.cli.config.resolvers import check_resolvers
from tl_search.errors.kinds import BadInput

SCHEMES = ("file", "studies")
_OPTION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")


class CheckedLoader(ConfigLoaderImpl):
    """Composes configs of plain files only, and settles what Hydra carries out of them."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.repository = _Files(config_search_path)

    def load_configuration(
        self, config_name: str | None, overrides: list[str], run_mode: RunMode, *more: Any, **options: Any
    ) -> DictConfig:
        _check_places(overrides)
        try:
            config = super().load_configuration(config_name, overrides, run_mode, *more, **options)
        except KeyError as error:  # a variable that is not set
            raise BadInput(COPIED) from error
        _check_facts(config, overrides)
        if config.hydra.mode is None and run_mode == RunMode.RUN:
            config.hydra.mode = RunMode.RUN  # as Hydra does later, when an interpolation could still choose by it
        check_resolvers(OmegaConf.to_container(config, resolve=False))
        before = HydraConfig.instance().cfg
        HydraConfig.instance().cfg = config  # type: ignore[assignment]  # what `${hydra:…}` reads
        try:
            settle(config, overrides)
        finally:
            HydraConfig.instance().cfg = before
        return config


class _Files(ConfigRepository):
    """Config files by their names below the search path, never by a path that leaves it."""

    def load_config(self, config_path: str) -> Any:
        if ".." in PurePosixPath(config_path).parts or config_path.startswith("/"):
            raise BadInput(f"{config_path}: must be the name of a config file, without .. and a leading /")
        found = super().load_config(config_path)
        for entry in (found.defaults_list or ()) if found else ():  # resolved before there is a tree to be checked
            check_resolvers({key: value for key, value in vars(entry).items() if key != "parent"}, config_path)
            options = getattr(entry, "value", None)
            if isinstance(options, list) and not all(isinstance(option, str) for option in options):
                raise BadInput(f"{config_path}: options must be given by their names, got {options}")
        return found


@contextmanager
def checked() -> Iterator[None]:
    """All composing in this process is checked, as long as this lasts."""
    before, hydras.ConfigLoaderImpl = hydras.ConfigLoaderImpl, CheckedLoader  # type: ignore[misc]  # a class in place of one that it extends
    try:
        yield
    finally:
        hydras.ConfigLoaderImpl = before  # type: ignore[misc]  # as above


def check_place(place: str) -> None:
    """Refuse a search path that imports a package which the person has not allowed. Raises BadInput."""
    scheme, found, rest = place.strip("\"' ").partition("://")
    if not found or scheme in SCHEMES:
        return
    package = rest.replace("/", ".").partition(".")[0]
    if scheme != "pkg":
        raise BadInput(f"hydra.searchpath: must be a folder (file://…), got {place}")
    if package not in {name.partition(".")[0] for name in plugins.allowed()}:
        raise BadInput(
            f"hydra.searchpath: {place} would import {package}, whose code may not run; "
            f"if it is a package of yours, plugins=[{package}] allows it"
        )


def _check_places(overrides: Sequence[str]) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.key_or_group == "hydra.searchpath":
            places: Any = override.value()
            for place in places if isinstance(places, list) else [places]:
                check_place(str(getattr(place, "text", place)))


def _check_facts(config: DictConfig, overrides: Sequence[str]) -> None:
    """Refuse a file that says what only Hydra can know, and options that are no names."""
    hydra = config.hydra
    told: Any = OmegaConf.to_container(hydra.overrides, resolve=False)
    if sorted(map(str, [*told["hydra"], *told["task"]])) != sorted(overrides):
        raise BadInput("hydra.overrides: must be left out, since it tells what stands on the command line")
    for node, key in ((hydra.job, "id"), (hydra.job, "num"), (hydra.runtime, "output_dir")):
        if not OmegaConf.is_missing(node, key):
            raise BadInput(f"{node._get_full_key(key)}: must be left out, since it is known only when a job runs")
    for group, option in hydra.runtime.choices.items():
        for name in option if OmegaConf.is_list(option) else [option]:
            if name is not None and not (_OPTION.fullmatch(str(name)) and ".." not in str(name)):
                raise BadInput(f"{group}: must be the name of an option, got {str(name)!r}")
