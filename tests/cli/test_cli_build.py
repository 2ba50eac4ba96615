"""A node becomes the object that it describes, types and rules included."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

import pytest
from omegaconf import OmegaConf

from tl_search.cli.config.build import build, construct
from tl_search.errors.kinds import BadInput
from tl_search.plane.costs import AnalyticCosts
from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.plane.extraction import BeginToken, Dtype, Extraction, FinalNorm, Pooling
from tl_search.plane.sampling import Sparse
from tl_search.plane.schedules.log import LogMode, LogSchedule


def node(**entries):
    return OmegaConf.create(entries)


def test_a_dataclass_is_built_with_its_enums_by_name():
    built = build(
        node(schedule={"_target_": "tl_search.plane.schedules.log.LogSchedule", "log_base": 3, "log_mode": "offset"})
    )
    assert built == {"schedule": LogSchedule(log_base=3.0, log_mode=LogMode.offset)}


def test_the_word_none_survives_yaml_reading_it_as_null():
    built = build(node(extraction={"_target_": "tl_search.plane.extraction.Extraction", "final_norm": None}))
    assert built["extraction"] == Extraction(FinalNorm.none, Pooling.mean, begin=BeginToken.tokenizer, dtype=Dtype.auto)


def test_nested_nodes_are_built_first_also_inside_a_mapping():
    stage = {"_target_": "tl_search.plane.curriculum.Stage", "name": "whole", "weights": {"next_token": 1}}
    built = build(node(curriculum={"_target_": "tl_search.plane.curriculum.Curriculum", "stages": {"whole": stage}}))
    assert built["curriculum"] == Curriculum({"whole": Stage("whole", 0, {"next_token": 1.0})})


def test_a_mapping_field_is_checked_value_by_value():
    with pytest.raises(BadInput, match=r"^costs\.score\.STS: must be a number, got 'slow'$"):
        build(node(costs={"_target_": "tl_search.plane.costs.AnalyticCosts", "score": {"other": 1, "STS": "slow"}}))


def test_a_missing_field_without_a_default_is_named():
    with pytest.raises(BadInput, match=r"^curriculum\.stages: must be given"):
        build(node(curriculum={"_target_": "tl_search.plane.curriculum.Curriculum"}))


def test_a_stage_needs_no_class_of_its_own_since_all_stages_have_the_same():
    cls = "tl_search.plane.curriculum.Curriculum"
    built = build(
        node(curriculum={"_target_": cls, "stages": {"a": {"steps": 3}, "b": {"weights": {"next_token": 2}}}})
    )
    assert built["curriculum"] == Curriculum({"a": Stage("a"), "b": Stage("b", 3, {"next_token": 2.0})})
    with pytest.raises(BadInput, match=r"^curriculum\.stages\.a\.stepz: unknown key; did you mean steps\?"):
        build(node(curriculum={"_target_": cls, "stages": {"a": {"stepz": 3}}}))


def test_an_unknown_class_of_a_known_module_gets_the_nearest_name():
    with pytest.raises(BadInput, match=r"^sampling\._target_: there is no class Spares .*did you mean Sparse\?"):
        build(node(sampling={"_target_": "tl_search.plane.sampling.Spares"}))


def test_a_foreign_node_comes_back_as_a_mapping_with_its_arguments():
    built = build(node(optimizer={"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1}))
    assert built == {"optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1}}


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"_target_": "torch.optim.SGD", "lrr": 0.1}, r"optimizer\.lrr: unknown key; did you mean lr\?"),
        ({"_target_": "torch.optim.SDG"}, r"optimizer\._target_: there is no class SDG in torch\.optim"),
        ({"_target_": "torch.optim.nope.SGD"}, r"optimizer\._target_: there is no module torch\.optim\.nope"),
    ],
)
def test_a_foreign_class_is_checked_without_its_library(entries, said):
    with pytest.raises(BadInput, match=said):
        build(node(optimizer=entries))


class Named(Protocol):
    def pick(self, revisions): ...


class Colour(Enum):
    red = 1


@dataclass(frozen=True)
class Everything:
    """One field of every kind that a config can hold."""

    sampling: Named
    whole: int = 0
    part: float | None = None
    either: int | str = 1
    pair: tuple[float, float] = (0.0, 1.0)
    many: tuple[str, ...] = ()
    colours: list[Colour] = field(default_factory=list)
    place: Path = Path()
    flag: bool = False


def test_values_arrive_as_the_types_that_the_class_declares():
    given = {"whole": 1e6, "part": 2, "either": "x", "pair": [1, 2], "many": ["a"], "colours": ["red"], "place": "p"}
    built = construct(Everything, {"sampling": Sparse(), **given})
    assert built == Everything(Sparse(), 1_000_000, 2.0, "x", (1.0, 2.0), ("a",), [Colour.red], Path("p"))
    assert isinstance(built.whole, int)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("sampling", AnalyticCosts(), "must be a Named .*, got AnalyticCosts"),
        ("sampling", {"count": 3}, "must be a Named"),
        ("whole", True, "must be an integer, got True"),
        ("part", "1", "must be a number, got '1'"),
        ("either", None, "must be an integer or text, got None"),
        ("pair", 3, "must be a list, got 3"),
        ("many", "step1000", "must be a list, got 'step1000'"),
        ("many", [1e5], r"must be text, got 100000\.0; put it in quotes"),
        ("flag", "yes", "must be true or false, got 'yes'"),
    ],
)
def test_a_value_of_another_type_is_refused_in_words(name, value, said):
    with pytest.raises(BadInput, match=rf"^here\.{name}(\[0\])?: {said}"):
        construct(Everything, {"sampling": Sparse(), name: value}, "here.")
