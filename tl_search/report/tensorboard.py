"""A search as TensorBoard events: the plane as a picture; score, regret and spent share after every pull."""

import io
from pathlib import Path

from tl_search.figures.style import LIGHT
from tl_search.report.event_files import replacing_events
from tl_search.report.findings import Findings
from tl_search.report.pictures import draw_plane
from tl_search.report.pull_statistics import regret
from tl_search.report.sentences import share_sentence

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
    with (
        replacing_events(folder, SUFFIX) as aside,
        SummaryWriter(str(aside), filename_suffix=SUFFIX) as writer,
    ):
        picture = Image.open(io.BytesIO(draw_plane(findings, LIGHT))).convert("RGB")
        writer.add_image("search/plane", np.asarray(picture), len(findings.trajectory), dataformats="HWC")
        if sentence := share_sentence(findings.plane):
            writer.add_text("search/selection", sentence)
        for step, shortfall in zip(findings.trajectory, regret(findings), strict=True):
            writer.add_scalar("search/recommended_score", step.recommended.mean, step.t)
            writer.add_scalar("search/regret", shortfall, step.t)
            writer.add_scalar("search/spent_share", step.share, step.t)
    return folder
