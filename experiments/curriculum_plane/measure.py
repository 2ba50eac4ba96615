"""Does introducing a loss term at step X move the best arm of the plane? Paired over seeds, from finished searches.

    python experiments/curriculum_plane/measure.py SEARCH [SEARCH ...] [--term contrastive]

Each search is of one branch. The searches must be of the same tasks, so every best arm was measured on the same
confirmation data. The branches that never weigh the term are the reference; those with one seed read the same text.
"""

import argparse
from pathlib import Path

import numpy as np

from tl_search import open_run
from tl_search.cli.config.recorded import read
from tl_search.report.paired import difference


def begins(run: Path, term: str) -> float:
    """The step of a training run at which the term gets a weight; infinite where it never does."""
    stages = read(run).curriculum.stages
    end, found = 0, []
    for stage in stages.values():
        start = end if stage.start is None else stage.start
        end = start + (stage.steps or 0)
        if (stage.get("weights") or {}).get(term, 0) > 0:
            found.append(start)
    return min(found, default=float("inf"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("searches", nargs="+", type=Path)
    parser.add_argument("--term", default="contrastive")
    given = parser.parse_args()
    found: dict[float, dict[int, dict[str, float]]] = {}
    suites = set()
    print(
        "| begins | seed | best arm | selection | confirmed (95 %) | final checkpoint's last layer |\n"
        "|---|---|---|---|---|---|"
    )
    for search in given.searches:
        run, result = Path(read(search).checkpoints.path), open_run(search).result
        if result is None:
            parser.error(f"{search}: the search has no result yet")
        start, seed, best, last = begins(run, given.term), int(read(run).seed), result.best, result.final_last
        suites.add(tuple(sorted(best.confirmation.tasks)))
        step = int(best.arm.revision.removeprefix("step"))
        found.setdefault(start, {})[seed] = {
            "step": step,
            "layer": best.arm.layer,
            "score": best.confirmation.objective,
            "score of the final checkpoint's last layer": last.confirmation.objective,
            **{f"best arm on {task}": score for task, score in best.confirmation.tasks.items()},
        }
        low, high = best.confirmation.interval
        print(
            f"| {'never' if start == float('inf') else f'step {start}'} | {seed} | step{step}/{best.arm.layer} | "
            f"{best.selection.objective:.2f} | {best.confirmation.objective:.2f} ({low:.2f} to {high:.2f}) | "
            f"{last.confirmation.objective:.2f} |"
        )
    if len(suites) > 1:
        parser.error("the searches were confirmed on different tasks, so they cannot be compared")
    never = found.pop(float("inf"), None)
    if never is None:
        parser.error(f"no search is of a branch that never weighs {given.term}")
    # several arms are compared with one reference, so each interval is wider (Bonferroni)
    level = 1 - 0.05 / max(len(found), 1)
    print("\n| begins | of the best arm | never | difference | interval | |\n|---|---|---|---|---|---|")
    for start, seeds in sorted(found.items()):
        both = sorted(seeds.keys() & never.keys())
        for what in next(iter(never.values())):
            mine, other = ([side[seed][what] for seed in both] for side in (seeds, never))
            gap = difference(mine, other, level)
            sides = [interval for interval in (gap.bootstrap, gap.student) if interval]
            low, high = (min(s[0] for s in sides), max(s[1] for s in sides)) if sides else (float("nan"),) * 2
            print(
                f"| step {start} | {what} | {np.mean(other):.2f} | {gap.mean:+.2f} | {low:+.2f} to {high:+.2f} | "
                f"{'shown' if gap.shown else 'no difference shown'} |"
            )


if __name__ == "__main__":
    main()
