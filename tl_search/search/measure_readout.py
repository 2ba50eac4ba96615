"""Label-free metrics of the chosen layer without and with its readout, in one file of the run.

A map that whitens its own texts gives them a flat spectrum, whatever it does to others. So both are measured on texts
that no readout was fitted on: what is left of the training splits. The file lists everything that its values depend on,
and is written again only if it is missing or lists something else.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tl_search.plane.arm import Arm
from tl_search.plane.readout import Readouts
from tl_search.probe.measuring.config import MetricsConfig
from tl_search.probe.measuring.metric import OfTokens
from tl_search.runs.measured import MeasuredReadout
from tl_search.search import measure, readouts
from tl_search.search.column import LocalWorker
from tl_search.store.typed_json import read_record, write_record

log = logging.getLogger(__name__)

# Texts that are measured at least: the spectrum of fewer says more of their number than of the vectors.
LEAST = 8


def measure_under_readout(
    arm: Arm,
    worker: LocalWorker,
    unused: Mapping[str, Sequence[str]],
    config: MetricsConfig,
    settings: Readouts,
    path: Path,
) -> str:
    """Measure the layer of an arm whose readout is not raw; nothing is done where the file is whole, or no metric fits.

    Args:
        worker: Gives the readout's map and the revision's folder, and computes.
        unused: Task → training texts that no readout is fitted on.
        config: What is measured; metrics of token states are left out, since a readout maps pooled vectors.
        settings: Which texts readouts are fitted on.
        path: Where the values are written.

    Returns:
        Why the arm could not be measured, in one line; empty where it was, and where there are too few texts, which the
        file says then.

    Raises:
        OSError: weights cannot be fetched now, or the file cannot be written.
    """
    fits = {name for name, metric in config.metrics.items() if not isinstance(metric, OfTokens)}
    if not fits:
        return ""
    config = replace(config, measures={name: own for name, own in config.measures.items() if name in fits})
    about = _about(arm, unused, config)
    few = len(about.texts) < LEAST
    if few:
        left = f"{len(about.texts)} training texts are neither scored nor used by a fit, and {LEAST} are needed"
        more = "a smaller readout.texts_per_task leaves more" if settings.texts is None else "the tasks have no more"
        about = replace(about, reason=f"{left}; {more}")
    if _is_whole(path, about, {} if few else config.measures):
        return ""
    if not few:
        from tl_search.probe.measuring.column import measure_readout

        measured_on = len(about.texts)
        log.info("%s: measuring %d texts that no fit used, without and with the readout", arm.label, measured_on)
        revision, layers, session = arm.revision, arm.readout.layers(arm.layer), worker.session
        try:
            fitted, folder = worker.fitted(arm), worker.prefetch.folder(revision)
            values = measure_readout(revision, folder, about.texts, arm.extraction, session, config, layers, fitted)
        except (ValueError, RuntimeError, MemoryError) as error:
            reason = measure.why_not(error)
            log.warning("%s cannot be measured: %s", arm.label, reason)
            return reason
        about = replace(about, raw=values.raw, under=values.readout)
    write_record(path, about)
    return ""


def _about(arm: Arm, unused: Mapping[str, Sequence[str]], config: MetricsConfig) -> MeasuredReadout:
    """The file without values."""
    texts, counts = measure.draw(unused, config.corpus_max_examples_per_task, config.seed)
    return MeasuredReadout(
        model=arm.model,
        arm=arm.name,
        vectors=arm.identity(),
        texts=texts,
        tasks=counts,
        left_out=tuple(task for task in unused if task not in counts),
        options=config.identity(),
        rules={"fit": readouts.RULES, "measure": measure.RULES},
        raw={},
        under={},
    )


def _is_whole(path: Path, about: MeasuredReadout, metrics: Mapping[str, object]) -> bool:
    try:
        kept = read_record(MeasuredReadout, path)
    except ValueError:  # it is written again
        return False
    return replace(kept, raw={}, under={}) == about and kept.raw.keys() == kept.under.keys() == set(metrics)
