"""Peptide sequencing behind the seams of training: curves, resume to the last bit, stages, revisions, evaluation."""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file
from tiny_run import PLAN, At, PowerCut, cut

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.runs.pretrained import load_tokenizer
from tl_search.training.callbacks.best import Best, Mode
from tl_search.training.evaluate import evaluate
from tl_search.training.fit import fit
from tl_search.training.full_state import load_state
from tl_search.training.ordered import FROM_THE_START
from tl_search.training.peptide.family import PeptideTransformer
from tl_search.training.peptide.generated import SyntheticSpectra
from tl_search.training.peptide.residues import Residues
from tl_search.training.peptide.task import PeptideTask
from tl_search.training.plan import TrainingPlan

STAGES = Curriculum(
    {
        "first": Stage("first", 0, {"next_token": 1.0}, {"max_length": 8}),
        "all": Stage("all", 5, {"next_token": 1.0, "spectrum": 0.1, "precursor": 0.1}, {"noise_peaks": 5}),
    }
)
PEPTIDE = TrainingPlan(
    model=PeptideTransformer(width=16, blocks=1, heads=2, feed_forward=32, context=14, dropout=0.1),
    tokenizer=Residues(),
    data=SyntheticSpectra(spectra=24, max_length=12, batch_size=4, validation_spectra=6),
    schedule=PLAN.schedule,
    curriculum=STAGES,
    optimizer=PLAN.optimizer,
    trainer={**PLAN.trainer, "max_steps": 10},
    checkpoint=PLAN.checkpoint,
    eval_interval=5,
    ema_decay=0.9,
    callbacks={"best": Best(monitor="eval/noisy/aa_recall", mode=Mode.max)},
)


def plan(**changes):
    return dataclasses.replace(PEPTIDE, **changes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peptides") / "run"
    fit(PEPTIDE, folder)
    return folder


def weights(run):
    return load_file(run / "revisions" / "main" / "model.safetensors")


def test_a_run_that_was_cut_off_in_the_middle_of_a_stage_goes_on_to_the_same_weights(trained, tmp_path):
    with pytest.raises(PowerCut):
        fit(plan(callbacks={**PEPTIDE.callbacks, "cut": At(7, cut)}), tmp_path / "run")
    fit(PEPTIDE, tmp_path / "run")
    expected, got = weights(trained), weights(tmp_path / "run")
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_clean_and_noisy_spectra_are_measured_and_the_average_of_the_weights_is_kept(trained):
    state = load_state(trained / "checkpoints" / "step10" / "state.ckpt")
    latest = state["callbacks"]["Measurements"]["latest"]
    for name in ("clean", "noisy"):
        for measured in ("loss", "token_accuracy", "peptide_accuracy", "aa_precision", "aa_recall", "mass_error_ppm"):
            assert latest[f"eval/{name}/{measured}"][0] == 10
    both = (latest["eval/clean/loss"][1] + latest["eval/noisy/loss"][1]) / 2
    assert latest["eval/loss"][1] == pytest.approx(both)
    assert "current_model_state" in state


def test_a_revision_is_loaded_and_measured_again_to_the_same_loss(trained):
    found = evaluate(PEPTIDE, trained, "main")
    assert found.agrees
    assert load_tokenizer(trained / "revisions" / "main").tokenize("PEPTIDE") == list("PEPTIDE")


def test_batches_have_the_parameters_of_their_own_step_in_worker_processes_too():
    packed = PEPTIDE.data.pack(PEPTIDE.tokenizer, None, None, 14)
    here = PeptideTask().loader(PEPTIDE, packed, 0, FROM_THE_START)
    there = PeptideTask().loader(plan(data=dataclasses.replace(PEPTIDE.data, workers=1)), packed, 0, FROM_THE_START)
    epochs = [[batch for _ in range(2) for batch in loader] for loader in (here, there)]
    for step, (one, other) in enumerate(zip(*epochs, strict=True)):
        assert all(map(torch.equal, one.parts, other.parts))
        longest = int((one.tokens > 3).sum(1).max())
        peaks = (one.intensity > 0).sum(1) - 4 * ((one.tokens > 3).sum(1) - 1)
        assert longest <= (8 if step < 5 else 12)
        assert (peaks == (0 if step < 5 else 5)).all()


def test_the_network_learns_to_read_spectra(tmp_path):
    """Of one batch it learns every residue: losses, masks and the decoder's shift fit together."""
    known = plan(model=PeptideTransformer(width=32, blocks=1, heads=2, feed_forward=64, context=14))
    packed = known.data.pack(known.tokenizer, None, None, 14)
    model = known.model.build(packed.tokenizer, 0)
    (batch,) = PeptideTask().held_out(dataclasses.replace(known, data=known.data), packed)[:1]
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(150):
        loss = torch.nn.functional.cross_entropy(model(batch).flatten(0, 1), batch.tokens.flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    written = model.eval().write(batch)
    assert written == [[token for token in row if token > 3] for row in batch.tokens.tolist()]


def test_what_stands_behind_a_token_and_padding_change_nothing_before_it():
    packed = PEPTIDE.data.pack(PEPTIDE.tokenizer, None, None, 14)
    model = PEPTIDE.model.build(packed.tokenizer, 0).eval()
    batch = PeptideTask().held_out(PEPTIDE, packed)[0]
    other = dataclasses.replace(
        batch,
        tokens=torch.cat([batch.tokens[:, :3], batch.tokens[:, 3:].flip(1)], 1),
        mz=torch.nn.functional.pad(batch.mz, (0, 3)),
        intensity=torch.nn.functional.pad(batch.intensity, (0, 3)),
    )
    with torch.no_grad():
        assert torch.allclose(model(batch)[:, :4], model(other)[:, :4], atol=1e-5)


def test_the_number_of_parameters_is_told_before_the_model_is_built():
    model = PEPTIDE.model.build(PEPTIDE.tokenizer.build(), 0)
    assert sum(weight.numel() for weight in model.parameters()) == PEPTIDE.model.parameters(24)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": PLAN.model}, "model: must be of the task of data, peptide, got one of language, Pythia"),
        ({"tokenizer": PLAN.tokenizer}, "tokenizer: must be of the task of data, peptide"),
        (
            {"curriculum": Curriculum({"a": Stage("a", 0, {"spectrun": 1.0})})},
            r"curriculum\.stages\.a\.weights: must name terms .* got 'spectrun'; did you mean spectrum",
        ),
        (
            {"curriculum": Curriculum({"a": Stage("a", 0, {"next_token": 1.0}, {"noise_peak": 3})})},
            r"curriculum\.stages\.a\.data: must name data parameters .* got 'noise_peak'; did you mean noise_peaks",
        ),
        (
            {"curriculum": Curriculum({"a": Stage("a", 0, {"next_token": 1.0}, {"max_length": 13})})},
            r"curriculum\.stages\.a\.data\.max_length: must be an integer from 6 to 12, got 13",
        ),
        ({"model": PeptideTransformer(context=12)}, r"data\.max_length: must be below model\.context, 12"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        plan(**changes)


def test_a_language_model_is_refused_a_curriculum_of_peptides():
    with pytest.raises(ValueError, match=r"curriculum\.stages\.all\.weights: .*'spectrum', a term of the task peptide"):
        dataclasses.replace(PLAN, curriculum=STAGES)
