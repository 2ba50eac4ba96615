"""A search cut down to seconds, to see whether all of it works: `debug`."""

from dataclasses import replace

from tl_search.plane.sampling import Sparse
from tl_search.scoring.suites import Suite
from tl_search.search.budget import Budget
from tl_search.search.run import SearchPlan

_REVISIONS, _PULLS, _RESAMPLES, _TOKENS, _TEXTS = 3, 3, 100, 64, 8
_TASKS = ("StdlibHalvesPairClassification", "StdlibVerbClassification")  # embedded ones that are quickly scored


def rehearsed(plan: SearchPlan) -> SearchPlan:
    """What is carried out of a plan that is only tried; any other plan as it is.

    Policy, objective and metrics are the plan's own. A few of its checkpoints are opened, and two quick tasks take the
    place of its own ones, which may have to be downloaded.
    """
    if not plan.debug:
        return plan
    examples, prompts = plan.metrics.corpus_max_examples_per_task, plan.metrics.prompts
    return replace(
        plan,
        sampling=Sparse(count=_REVISIONS),
        extraction=replace(plan.extraction, max_length=min(plan.extraction.max_length, _TOKENS)),
        tasks=Suite(_TASKS, items=plan.tasks.items),
        budget=Budget(share=None, pulls=_PULLS),
        confirm=replace(plan.confirm, resamples=_RESAMPLES),
        metrics=replace(
            plan.metrics,
            corpus_max_examples_per_task=_TEXTS if examples is None else min(examples, _TEXTS),
            prompts=_TEXTS if prompts is None else min(prompts, _TEXTS),
        ),
    )
