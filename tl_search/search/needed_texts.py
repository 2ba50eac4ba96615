"""Whether there are the texts that readouts are fitted and metrics are measured on, seen before anything is made."""

from typing import TYPE_CHECKING

from tl_search.probe.measuring.config import Columns
from tl_search.search import measure, readouts

if TYPE_CHECKING:
    from tl_search.search.run import SearchPlan


def check_texts(plan: "SearchPlan", fetch: bool = False) -> None:
    """See that a person's own texts can be read, and that some task has a training text where one is needed.

    Args:
        fetch: Whether to look at tasks, too, whose data may have to be downloaded.

    Raises:
        ValueError: neither is there; the message names the setting.
    """
    readouts.check_own_texts(plan.readout)
    fits = len(plan.readout.used) > 1 and plan.readout.texts is None and not plan.metrics.only
    measures = plan.metrics.columns is not Columns.none
    if not (fits or measures) or (plan.tasks.remote is not None and not fetch) or plan.tasks.has_training_texts():
        return
    raise ValueError((readouts if fits else measure).without_texts(plan.tasks.tasks))
