"""Puts three folders of the working directory on Hydra's search path: `experiments/`, `launchers/` and `costs/`.

Hydra takes every folder on its search path for a config group. With a plain `file://` entry, a folder `runs/` or
`data/` in the working directory would make Hydra read `runs=elsewhere` as the choice of an option, or would add options
by accident.
"""

from pathlib import Path, PurePosixPath

from hydra._internal.core_plugins import file_config_source as hydras
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from yaml import YAMLError

from tl_search.cli.config.searchpath import OWN_GROUPS
from tl_search.errors.kinds import BadInput
from tl_search.store.outside import yaml_text


class FileConfigSource(hydras.FileConfigSource):
    """Any folder with config files, which somebody else may have written.

    It has the name of Hydra's own class: a job in another process gets this one, then Hydra registers its own there,
    which it leaves out only if the names are equal.
    """

    def load_config(self, config_path: str) -> ConfigResult:
        try:
            yaml_text(Path(self.path, self._normalize_file_name(config_path)))
        except FileNotFoundError:
            pass  # which Hydra tells
        except ValueError as error:
            if not isinstance(error.__cause__, YAMLError | UnicodeError):  # which Hydra tells too, with the line
                raise BadInput(str(error)) from error
        return super().load_config(config_path)


class Studies(FileConfigSource):
    """A folder of which only these groups are seen."""

    @staticmethod
    def scheme() -> str:
        return "studies"

    def is_group(self, config_path: str) -> bool:
        return _seen(config_path) and super().is_group(config_path)

    def is_config(self, config_path: str) -> bool:
        return _seen(config_path) and super().is_config(config_path)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        return [name for name in super().list(config_path, results_filter) if _seen(f"{config_path}/{name}")]


def register() -> None:
    """Make the scheme known to Hydra in this process, and have its plain folders read with the same limits."""
    Plugins.instance().register(Studies)
    SourcesRegistry.instance().types[FileConfigSource.scheme()] = FileConfigSource


def _seen(config_path: str) -> bool:
    parts = [part for part in PurePosixPath(config_path).parts if part != "/"]
    return not parts or parts[0] in OWN_GROUPS
