"""A comparison of arms as TensorBoard events: a curve for each run, all aligned at the step of the branch."""

from pathlib import Path

from tl_search.errors.printable import printable
from tl_search.report.arm_rows import Comparison
from tl_search.report.event_files import replacing_events
from tl_search.store.keys import safe_name

SUFFIX = ".comparison"  # tells these event files from others in the folder


def write_arms(found: Comparison, folder: Path) -> Path:
    """Write FOLDER/tensorboard; returns it, for `tensorboard --logdir`.

    It has a run of TensorBoard for every run of an arm, `ARM/seed0`. Their steps are counted from the branch. Where a
    stage begins, the curve `stage` rises by one, and the TEXT page names the stage.
    """
    from torch.utils.tensorboard import SummaryWriter

    arms, place = found.arms, folder / "tensorboard"
    with replacing_events(place, SUFFIX) as aside:
        for arm in arms.arms:
            for seed, run in sorted(arm.runs.items()):
                own = aside / safe_name(arm.name) / f"seed{seed}"
                with SummaryWriter(str(own), filename_suffix=SUFFIX) as writer:
                    for step, value in run.values.items():
                        writer.add_scalar(arms.metric.name, value, step - arms.step)
                    for step in sorted({*run.values, *run.stages}):
                        writer.add_scalar("stage", sum(start <= step for start in run.stages), step - arms.step)
                    for start, name in run.stages.items():
                        told = f"step {start} ({start - arms.step} after the branch): stage {printable(name)} begins"
                        writer.add_text("stage", told, start - arms.step)
    return place
