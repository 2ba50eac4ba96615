"""The contrastive term: what it measures, at which layer, and that a run with it is restored to the last bit."""

from dataclasses import replace

import pytest
import torch
from tiny_run import At, PowerCut, cut, plan, same, weights

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.runs.index import read_index
from tl_search.training.branch import Branch, DataOrder, OnRestore
from tl_search.training.fit import fit
from tl_search.training.losses.contrastive import Contrastive
from tl_search.training.rehearsal import rehearsed
from tl_search.training.terms import check_terms

LATE = Curriculum(
    {"plain": Stage(steps=5), "embedding": Stage(weights={"next_token": 1, "contrastive": 0.5})},
    terms={"contrastive": Contrastive(layer=1)},
)


def letters(tokens, layer=None):
    """States that say which letter a token is."""
    return torch.nn.functional.one_hot(tokens, 4).float()


def test_the_crops_of_one_sequence_are_told_from_those_of_others():
    apart = torch.tensor([[0] * 8, [1] * 8, [2] * 8])
    alike = torch.tensor([[0] * 8] * 3)
    assert Contrastive()(None, apart, letters).item() == pytest.approx(0, abs=1e-6)
    assert Contrastive()(None, alike, letters).item() == pytest.approx(torch.tensor(3.0).log().item())


def test_a_smaller_temperature_sharpens_the_choice():
    one, other = torch.tensor([[0] * 8, [1] * 8]), 0.5
    soft = Contrastive(temperature=other)(None, one, letters).item()
    assert soft == pytest.approx((1 + torch.tensor(-1 / other).exp()).log().item())  # cosines of 1 and 0
    assert Contrastive(temperature=0.01)(None, one, letters).item() < 1e-6


def test_crops_are_half_of_the_sequence_at_places_that_torchs_generator_draws():
    seen, text = [], torch.arange(100).repeat(20, 1)

    def watched(tokens, layer):
        seen.append((tokens, layer))
        return tokens[..., None].float()

    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        Contrastive(layer=3)(None, text, watched)
    (first, layer), (again, _), (other, _) = seen
    assert layer == 3
    assert first.shape == (40, 50)
    assert torch.equal(first - first[:, :1], torch.arange(50).repeat(40, 1))
    assert len({*first[:, 0].tolist()}) > 10
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    fit(plan(folder, curriculum=LATE, save_interval=100), folder / "run")
    return folder / "run"


def test_a_run_that_was_stopped_after_the_term_came_in_ends_with_the_same_bits(whole, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(PowerCut):
        fit(plan(whole.parent, curriculum=LATE, save_interval=8, callbacks={"cut": At(9, cut)}), run)
    fit(plan(whole.parent, curriculum=LATE, save_interval=8), run)
    assert same(weights(run), weights(whole))


def test_the_layer_decides_what_is_trained(whole, tmp_path):
    other = Curriculum(LATE.stages, terms={"contrastive": Contrastive(layer=2)})
    fit(plan(whole.parent, curriculum=other), tmp_path / "run")
    one, two = ({line.step: line.weights for line in read_index(run)} for run in (whole, tmp_path / "run"))
    assert {*one} == {*two}
    assert [one[step] == two[step] for step in one] == [step <= 5 for step in one]


def test_a_weight_of_zero_is_as_if_the_term_was_not_there(whole, tmp_path):
    none = Curriculum({"a": Stage(weights={"next_token": 1, "contrastive": 0.0})})
    plain = Curriculum({"a": Stage(weights={"next_token": 1})})
    for name, curriculum in (("none", none), ("plain", plain)):
        fit(plan(whole.parent, curriculum=curriculum, trainer={"max_steps": 4}), tmp_path / name)
    assert same(weights(tmp_path / "none"), weights(tmp_path / "plain"))


def test_a_branch_that_skips_stages_keeps_the_settings_of_the_parents_terms(whole, tmp_path):
    later = Curriculum({"plain": Stage(steps=20), "end": Stage(weights={"next_token": 1, "log_normaliser": 0.1})})
    branch = {
        "branch_from": f"{whole}@step14",
        "branch": Branch(on_restore=OnRestore.skip_passed, data=DataOrder.restart),
        "trainer": {"max_steps": 17},
    }
    runs = [tmp_path / name for name in ("silent", "first", "last")]
    layers = ({}, {"contrastive": Contrastive(layer=1)}, {"contrastive": Contrastive(layer=2)})
    for run, terms in zip(runs, layers, strict=True):
        fit(plan(whole.parent, curriculum=Curriculum(later.stages, terms=terms), **branch), run)
    assert same(weights(runs[0]), weights(runs[1]))
    assert not same(weights(runs[0]), weights(runs[2]))


def test_a_wrong_term_or_layer_is_told_in_one_line():
    def refused(said, **terms):
        with pytest.raises(ValueError, match=rf"^curriculum\.terms\.{said}"):
            check_terms(Curriculum(LATE.stages, terms=terms), blocks=2)

    check_terms(Curriculum(LATE.stages, terms={"contrastive": Contrastive(layer=2)}), blocks=2)
    refused(r"contrastive\.layer: must be <= 2, the model's last one, got 3$", contrastive=Contrastive(layer=3))
    refused("contrastve: there is no such term; did you mean contrastive", contrastve=Contrastive())
    refused("contrastive: must be a node with _target_: tl_search.training", contrastive={"layer": 1})
    refused("next_token: must be left out", next_token=Contrastive())
    for wrong, said in (({"layer": -1}, "layer: must be >= 0"), ({"temperature": 0.0}, "temperature: must be from")):
        with pytest.raises(ValueError, match=f"^{said}"):
            Contrastive(**wrong)


def test_a_training_that_is_only_tried_takes_the_last_layer_of_its_smaller_model(tmp_path):
    deep, whole = Curriculum(LATE.stages, terms={"contrastive": Contrastive(layer=6)}), plan(tmp_path)
    tried = rehearsed(replace(whole, model=replace(whole.model, blocks=8), curriculum=deep, debug=True))
    assert (tried.model.blocks, tried.curriculum.terms["contrastive"].layer) == (2, 2)
