"""A search as TensorBoard events: the plane as a picture; score, regret and spent share after every pull."""

import io
import logging
import math
import os
import shutil
import tempfile
from pathlib import Path

from tl_search.figures.style import LIGHT
from tl_search.report.findings import Findings
from tl_search.report.pictures import draw_plane
from tl_search.report.pull_statistics import regret
from tl_search.store.atomic import ASIDE

SUFFIX = ".search-report"  # tells the report's event files from others in the folder


def write_events(findings: Findings) -> Path:
    """Write the events to RUN/tensorboard. The files of an earlier report are replaced, other event files stay.

    Score and regret are in points, the spent share is of the exhaustive cost (1 = all of it).

    Returns:
        The folder for `tensorboard --logdir`.
    """
    import numpy as np
    from PIL import Image
    from torch.utils.tensorboard import SummaryWriter

    folder = findings.folder / "tensorboard"
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=findings.folder, prefix=ASIDE))
    try:
        with SummaryWriter(str(aside), filename_suffix=SUFFIX) as writer:
            picture = Image.open(io.BytesIO(draw_plane(findings, LIGHT))).convert("RGB")
            writer.add_image("search/plane", np.asarray(picture), len(findings.trajectory), dataformats="HWC")
            for step, shortfall in zip(findings.trajectory, regret(findings), strict=True):
                writer.add_scalar("search/recommended_score", step.recommended.mean, step.t)
                writer.add_scalar("search/regret", shortfall, step.t)
                writer.add_scalar("search/spent_share", step.share, step.t)
        stale = {file.name for file in folder.glob(f"*{SUFFIX}")}
        for file in aside.iterdir():
            os.replace(file, folder / file.name)
            stale.discard(file.name)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def read_curve(folder: Path, name: str) -> dict[int, float]:
    """Step → value of a curve in a folder of event files; of a step that was logged twice, the last value counts."""
    if not any(folder.glob("events.out.tfevents.*")):
        return {}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.WARNING)  # it tells where a file ends
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    if name not in events.Tags()["scalars"]:
        return {}
    return {int(point.step): float(point.value) for point in events.Scalars(name) if math.isfinite(point.value)}
