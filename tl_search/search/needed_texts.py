"""Whether there are the texts that readouts are fitted and metrics are measured on, seen before anything is made."""

from tl_search.plane.readout import Readouts
from tl_search.probe.measuring.config import Columns, MetricsConfig
from tl_search.scoring.suites import Suite
from tl_search.search import measure, readouts


def check_texts(readout: Readouts, metrics: MetricsConfig, tasks: Suite, fetch: bool = False) -> None:
    """See that a person's own texts can be read, and that some task has a training text where one is needed.

    Args:
        fetch: Whether to look at tasks, too, whose data may have to be downloaded.

    Raises:
        ValueError: neither is there; the message names the setting.
    """
    readouts.check_own_texts(readout)
    fits = len(readout.used) > 1 and readout.texts is None and not metrics.only
    measures = metrics.columns is not Columns.none
    if not (fits or measures) or (tasks.remote is not None and not fetch) or tasks.has_training_texts():
        return
    raise ValueError((readouts if fits else measure).without_texts(tasks.tasks))
