"""Every setting says what it decides: a field that says nothing would silently make two runs one, or one run two."""

import dataclasses
from importlib import import_module
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tl_search.cli.config.allowlist import walk
from tl_search.cli.config.renamed import NOW
from tl_search.plugins import OURS
from tl_search.runs.identity import decisions
from tl_search.search.run import SearchPlan
from tl_search.training.plan import TrainingPlan

CONF = Path(__file__).resolve().parents[2] / "conf"


def found(name):
    module, _, cls = name.rpartition(".")
    return getattr(import_module(module), cls)


def named_in_conf():
    trees = (OmegaConf.to_container(OmegaConf.load(path), resolve=False) for path in CONF.rglob("*.yaml"))
    names = {value for tree in trees for _, key, value in walk(tree) if key == "_target_"}
    return sorted(name for name in names if name.startswith(OURS))


CLASSES = [TrainingPlan, SearchPlan, *map(found, named_in_conf())]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_field_of_every_config_class_says_what_it_decides(cls):
    fields = {field.name for field in dataclasses.fields(cls) if field.init}
    assert decisions(cls).keys() == fields


def test_there_are_classes():
    assert len(CLASSES) > 30


def test_a_class_that_moved_is_found_under_its_new_name_and_under_no_old_one():
    for first, now in NOW.items():
        assert dataclasses.is_dataclass(found(now)), now
        module, _, cls = first.rpartition(".")
        try:
            assert not hasattr(import_module(module), cls), first
        except ModuleNotFoundError:
            continue
