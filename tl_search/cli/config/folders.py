"""The name of a run directory: `name`, what the command line changed, and a digest of the settings that decide files.

Only the digest tells runs apart; the rest is for people. So the same settings find their directory again, however they
are written: alone, in a sweep, on a cluster and after a kill. For this, `hydra.run.dir` and `hydra.sweep.subdir` both
end in `${tl.folder:COMMAND,NAME}`.
"""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from tl_search.cli.config.ancestry import inherited
from tl_search.cli.config.naming import identity, run_digest
from tl_search.cli.config.varied import varied
from tl_search.runs.record import RunRecord


def folder_name(config: DictConfig, command: str, name: str) -> str:
    """The name of the run's directory in `runs`: that of a run with these settings, or else a new one."""
    own, there = run_digest(config, command), Path(str(config.runs)) / command
    new = _joined(name, _changed(config, command, name), own)
    if (there / new).is_dir():
        return new
    plain = _joined(name, own)  # of a run whose settings were written otherwise, or from before changes were named
    if (there / plain).is_dir():
        return plain
    found = sorted(there.iterdir()) if there.is_dir() else []
    alike = (entry for entry in found if entry.name.startswith(f"{name}-") and entry.name.endswith(f"-{own}"))
    return next((entry.name for entry in alike if _is_named(entry, name)), new)


def first_part(folder: Path, config: DictConfig, command: str) -> tuple[str, str]:
    """For the record of a run in `folder`: (its name without the digest, the part of it that the command line made)."""
    name, own = str(config.get("name", folder.name)), run_digest(config, command)
    changed = _changed(config, command, name)
    if not folder.name.endswith(f"-{_joined(changed, own)}"):
        return name, ""
    return folder.name.removesuffix(f"-{own}"), changed


def _changed(config: DictConfig, command: str, name: str) -> str:
    return varied(identity(config, command), name, inherited(config))


def _joined(*parts: str) -> str:
    return "-".join(part for part in parts if part)


def _is_named(run: Path, name: str) -> bool:
    """Whether a run has this `name`: that of another run may begin with the same words."""
    try:
        record = RunRecord.read(run)
    except ValueError:
        return False
    return record is not None and run.name == _joined(name, record.varied, record.digest)


OmegaConf.register_new_resolver(
    "tl.folder", lambda command, name, *, _root_: folder_name(_root_, command, str(name)), replace=True
)
