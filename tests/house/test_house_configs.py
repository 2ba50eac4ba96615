"""A group file lists every field of its class, so that `--cfg job` is complete; every study composes and builds."""

import dataclasses
import importlib
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tl_search.cli import commands
from tl_search.cli.config.allowlist import walk
from tl_search.cli.config.compose import compose_job, configs, parse
from tl_search.cli.config.preflight import check
from tl_search.plane.curriculum import CURRENT
from tl_search.plugins import OURS

ROOT = Path(__file__).resolve().parents[2]
CONF = sorted(path for path in (ROOT / "conf").rglob("*.yaml") if "hydra" not in path.parts)
PEPTIDE_CURRICULA = [
    f"curriculum/peptide_{kind}" for kind in ("early", "phased", "final", "early_short", "phased_short")
]
STUDIES = sorted((ROOT / "experiments").rglob("*.yaml"))


def short(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", CONF, ids=short)
def test_every_node_lists_every_field_of_its_class(path):
    tree = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    nodes = [("", tree), *((f"{where}.{key}", value) for where, key, value in walk(tree))]
    for where, node in nodes:
        if isinstance(node, dict) and str(node.get("_target_", "")).startswith(OURS):
            module, _, name = node["_target_"].rpartition(".")
            cls = getattr(importlib.import_module(module), name)
            fields = {field.name for field in dataclasses.fields(cls) if field.init}
            assert set(node) - {"_target_", "defaults"} == fields, f"{path}{where}"


@pytest.mark.parametrize("path", CONF, ids=short)
def test_every_config_says_what_it_is_and_what_each_setting_means(path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert all(len(line) <= 150 for line in lines)


@pytest.mark.parametrize("path", STUDIES, ids=short)
def test_every_study_composes_and_builds_for_its_command(path, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    command = path.stem
    assert command in commands.NAMES, "a study holds one file per command, named after it"
    option = path.relative_to(ROOT / "experiments").with_suffix("").as_posix()
    place = [str(tmp_path)] if command == "search" else []
    line = parse(command, [*place, f"experiments={option}"], commands.find(command).bare)
    with configs():
        assert check(commands.find(command), compose_job(command, line.overrides)).plan


def test_there_are_studies():
    assert {"train", "search", "run"} <= {path.stem for path in STUDIES}


@pytest.mark.parametrize("group", sorted(path.name for path in (ROOT / "conf").iterdir() if path.is_dir()))
def test_every_option_of_every_group_builds(group, tmp_path):
    (tmp_path / "some.mgf").touch()
    if group == "hydra":
        return
    command = "train" if group in {"model", "tokenizer", "data", "schedule", "curriculum", "optimizer", "trainer",
                                   "callbacks", "logger", "checkpoint"} else "search"  # fmt: skip
    gaps = {"data/files": [f"data.corpus.path={ROOT / 'README.md'}"], "data/hub": ["data.corpus.name=x"],
            "data/mix": [f"data.corpus.sources.files.path={ROOT / 'README.md'}"],
            "data/mgf": [f"data.path={tmp_path}"],
            **{option: ["data=peptide"] for option in ("tokenizer/residues", "model/peptide", *PEPTIDE_CURRICULA)},
            "schedule/explicit": ["schedule.checkpoint_schedule=[1]"],
            "sampling/list": ["sampling.revisions=[main]"],
            "tasks/folder": [f"tasks.folder={tmp_path}"]}  # fmt: skip
    if group == "tasks":
        (tmp_path / "Mine").mkdir()
        (tmp_path / "Mine" / "task.yaml").write_text("type: STS")
    with configs():
        for path in sorted((ROOT / "conf" / group).glob("*.yaml")):
            place = (
                []
                if command == "train" or (group, path.stem) == ("checkpoints", "hub")
                else [f"checkpoints.path={tmp_path}"]
            )
            if (group, path.stem) == ("curriculum", CURRENT):  # stands for one of a checkpoint
                continue
            more = gaps.get(f"{group}/{path.stem}", [])
            job = compose_job(command, [f"{group}={path.stem}", *place, *more])
            assert check(commands.find(command), job).plan, path
