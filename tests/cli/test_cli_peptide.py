"""The options of peptide sequencing on a command line: one word chooses the task, and what does not fit it is told."""

import pytest

from tl_search.cli import commands
from tl_search.cli.config.compose import compose_job, configs
from tl_search.cli.config.preflight import check
from tl_search.errors.kinds import BadInput


def planned(*line, command="train"):
    with configs():
        return check(commands.find(command), compose_job(command, [*line])).plan


def test_the_data_choose_model_and_tokenizer_and_both_may_still_be_chosen(tmp_path):
    (tmp_path / "some.mgf").touch()
    for data in (["data=peptide"], ["data=mgf", f"data.path={tmp_path}"]):
        found = planned(*data, "curriculum=peptide_early", "model.width=64", "tokenizer.modifications=[]")
        assert found.task.name == "peptide"
        assert found.model.width == 64
        assert len(found.tokenizer.tokens()) == 24
        assert len(found.curriculum.stages) == 10


def test_a_weight_and_a_data_parameter_of_one_stage_are_set_on_the_command_line():
    stage = "curriculum.stages.precursor_in"
    found = planned(
        "data=peptide", "curriculum=peptide_phased", f"{stage}.weights.precursor=0.005", f"{stage}.data.noise_peaks=9"
    )
    changed = found.curriculum.stages["precursor_in"]
    assert changed.weights["precursor"] == 0.005
    assert changed.data["noise_peaks"] == 9


@pytest.mark.parametrize(
    ("name", "spectrum", "precursor"),
    [("early", 10_000, 20_000), ("phased", 15_000, 30_000), ("final", 15_000, 30_000)],
)
def test_the_curricula_bring_the_losses_in_where_they_were_published_to(name, spectrum, precursor):
    stages = planned("data=peptide", f"curriculum=peptide_{name}").curriculum.stages.values()
    for term, begins in (("spectrum", spectrum), ("precursor", precursor)):
        weights = [stage.weights[term] for stage in stages]
        assert min(stage.first for stage in stages if stage.weights[term] > 0) == begins
        assert weights == sorted(weights)
    assert [stage.data["max_length"] for stage in stages] == [10, 10, 11, 12, 13, 14, 15, 16, 17, 18]
    assert [stage.data["noise_peaks"] for stage in stages] == [0, 0, 1, 2, 3, 5, 6, 7, 8, 10]


@pytest.mark.parametrize(
    ("command", "line", "message"),
    [
        ("train", ["curriculum=peptide_early"], r"weights: must name terms .*'spectrum', a term of the task peptide"),
        ("train", ["data=peptide", "curriculum=two_stage"], "got 'log_normaliser', a term of the task language"),
        ("train", ["data=peptide", "model=tiny"], "model: must be of the task of data, peptide"),
        ("train", ["model=peptide"], "model: must be of the task of data, language"),
        ("train", ["data=mgf"], r"data\.path: must be given"),
        ("train", ["data=mgf", "data.path=none.mgf"], r"data\.path: must name a file, a folder"),
        ("train", ["data=peptide", "data.annotated=none.mgf"], r"data\.annotated: must name a file, a folder"),
        ("train", ["data=peptide", "callbacks=live"], r"callbacks\.plane_probe: must be null, since it embeds texts"),
        ("run", ["data=peptide"], "data: must be text with tl run"),
    ],
)
@pytest.mark.slow_but_every(3)
def test_what_does_not_fit_the_task_is_one_line(command, line, message):
    with pytest.raises((BadInput, ValueError), match=message):
        planned(*line, command=command)


def test_without_pyteomics_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyteomics", None)
    monkeypatch.setitem(sys.modules, "pyteomics.mass", None)
    with pytest.raises((BadInput, ValueError), match=r"data: needs pyteomics.*pip install tl-search\[peptide\]"):
        planned("data=peptide")
