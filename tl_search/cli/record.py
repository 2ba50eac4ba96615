"""What a run says about itself on disk, written before its work: `run.json` (identity) and `config.yaml` (resolved)."""

import copy
import importlib.metadata
import platform
import shutil
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tl_search import __version__
from tl_search.cli.config.choices import CHOICES, chosen
from tl_search.cli.config.hydra_errors import readable
from tl_search.cli.config.renamed import first_named
from tl_search.cli.config.secrets import redact
from tl_search.cli.errors import BadInput
from tl_search.cli.identity import KEYS, run_digest
from tl_search.store.atomic import read_json, write_json, write_text
from tl_search.training.places import MOVABLE

PACKAGES = ("torch", "lightning", "transformers", "tokenizers", "mteb", "scikit-learn", "numpy", "scipy", "hydra-core")
WHERE = ("runs", "cache", "ledger", "embeddings")
PLACES = ("checkpoints", "logger", *WHERE)


def begin(folder: Path, command: str, config: DictConfig) -> None:
    """Write who the run is; a run that exists keeps what it said at first.

    Raises:
        BadInput: the folder belongs to a run of another config.
    """
    digest = run_digest(config, command)
    if (folder / "run.json").exists():
        found = read_json(folder / "run.json").get("digest")
        if found != digest:
            raise BadInput(
                f"{folder}: belongs to another config ({_differences(folder, config, command)}); "
                f"set name=OTHER{f', or go on with that run: resume={folder}' if command == 'train' else ''}"
            )
        return
    renew(folder, command, config)
    write_json(folder / "run.json", about(command, str(config.get("name", folder.name)), digest, config.get("seed")))


def renew(folder: Path, command: str, config: DictConfig) -> None:
    """Write the config that now holds, from which a resumed run takes its settings."""
    kept = _resolved(config, [key for key in (*KEYS[command], *PLACES) if key in config], command)
    if command == "train":
        before = read(folder).get(CHOICES) or {} if (folder / "config.yaml").is_file() else None
        kept[CHOICES] = chosen(before)
    write_text(folder / "config.yaml", redact(OmegaConf.to_yaml(OmegaConf.create(kept))))


def read(run: Path) -> DictConfig:
    """The settings that a run recorded of itself. Raises BadInput."""
    with readable():
        recorded = OmegaConf.load(run / "config.yaml")
    if not isinstance(recorded, DictConfig):
        raise BadInput(f"{run / 'config.yaml'}: must hold settings by name")
    return recorded


def _differences(folder: Path, config: DictConfig, command: str) -> str:
    """What a run's config was, and what it is now."""
    from tl_search.training.identity import differences

    path = folder / "config.yaml"
    if not path.is_file():
        return "its config.yaml is gone"
    before = OmegaConf.to_container(read(folder), resolve=True)
    assert isinstance(before, dict)
    kept = _resolved(config, [key for key in KEYS[command] if key in config], command)
    was = {key: value for key, value in before.items() if key in KEYS[command]}
    return differences(first_named(was), first_named(kept))


def forget(folder: Path) -> None:
    """Remove a run that ended on a mistake before it did anything: it holds only what it says about itself."""
    said = {"run.json", "config.yaml", ".hydra", "run.lock"}
    if all(entry.name in said or entry.suffix == ".log" for entry in folder.iterdir()):
        shutil.rmtree(folder)


def about(command: str, name: str, digest: str, seed: int | None) -> dict[str, Any]:
    versions = {"python": platform.python_version(), "tl-search": __version__}
    versions |= {package: importlib.metadata.version(package) for package in PACKAGES}
    return {"command": command, "name": name, "digest": digest, "seed": seed, "versions": versions}


def _resolved(config: DictConfig, keys: list[str], command: str) -> dict[str, Any]:
    """The values of some keys, with interpolations to any other key replaced by what they give.

    A training run may be resumed from another working directory, where its folders are still to be found, and its text.
    """
    config = copy.deepcopy(config)
    if command == "train":
        for key in WHERE:
            if config.get(key):
                config[key] = str(Path(config[key]).resolve())
        for key, anywhere in MOVABLE.items():
            if isinstance(place := OmegaConf.select(config, key), str):
                OmegaConf.update(config, key, anywhere(place))
    return {
        key: OmegaConf.to_container(config[key], resolve=True) if OmegaConf.is_config(config[key]) else config[key]
        for key in keys
    }
