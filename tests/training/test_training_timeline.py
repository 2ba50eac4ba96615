"""What holds at a step is one value, and what a run leaves says the same."""

import pytest
import tiny_run
import torch

from tl_search.plane.horizon import Horizon
from tl_search.runs.index import read_index
from tl_search.store.manifest import read_manifest
from tl_search.training.horizon import timeline_of
from tl_search.training.optim import Phase

TIMELINE = timeline_of(tiny_run.PLAN, Horizon(14), tiny_run.EPOCH, (Phase(0, 0, 10), Phase(10, 10, 4)))


@pytest.mark.parametrize(
    ("step", "tokens", "epoch", "stage", "phase"),
    [
        (0, 0, 0, "warm", 0),
        (4, 256, 0, "warm", 0),
        (5, 320, 0, "late", 0),
        (6, 384, 1, "late", 0),
        (12, 768, 2, "late", 10),
    ],
)
def test_a_step_has_its_tokens_epoch_stage_and_phase(step, tokens, epoch, stage, phase):
    facts = {"name": f"step{step}", "step": step, "tokens": tokens, "epoch": epoch, "stage": stage}
    assert TIMELINE.facts(step) == facts
    assert TIMELINE.phase_at(step).start == phase


def test_index_manifests_and_states_say_what_the_timeline_says(finished):
    lines = read_index(finished)
    assert [line.step for line in lines][-1] == 14
    for line in lines:
        facts = TIMELINE.facts(line.step)
        assert {key: getattr(line, key) for key in facts} == facts
        manifest = read_manifest(finished / "revisions" / line.name)
        assert {key: manifest[key] for key in facts} == facts
    facts = TIMELINE.facts(14)
    manifest = read_manifest(finished / "checkpoints" / "step14")
    assert {key: manifest[key] for key in facts} == facts


def test_callbacks_keep_their_names_in_states_on_disk(finished):
    """A state that was written under another name would be lost without a word when its run goes on."""
    state = torch.load(finished / "checkpoints" / "step14" / "state.ckpt", weights_only=True)
    ours = {
        "Measurements",
        "ScheduledCheckpoint",
        "BestCheckpoint[best]",
        "Metrics",
        "SettingsCard",
        "CurriculumStages",
    }
    assert {*state["callbacks"]} == ours
