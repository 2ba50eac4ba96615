"""Planes whose every score is known, and the replay of a policy on one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tl_search.bandits.policy import Policy, Problem
from tl_search.plane.arm import Plane
from tl_search.plane.costs import CostTable, Spending
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.pull import Observation
from tl_search.plane.revision import Revision

DEMO_STEPS = (0, 1, 3, 7, 12, 20, 35, 60, 100, 160, 240, 350, 480, 640, 800)


@dataclass(frozen=True)
class RecordedPlane:
    """A problem with all of its scores, (arm, task), in points."""

    problem: Problem
    scores: np.ndarray

    @property
    def objective(self) -> np.ndarray:
        return self.scores @ np.array([self.problem.weights[task] for task in self.problem.tasks])

    def exhaustive(self) -> float:
        plane = self.problem.plane
        return self.problem.costs.exhaustive(len(plane.revisions), plane.n_layers + 1).total

    def observe(self, pull, spending: Spending) -> Observation:
        row = self.scores[self.problem.plane.position(pull.arm)]
        scores = {task: float(row[self.problem.tasks.index(task)]) for task in pull.tasks}
        return Observation(pull, scores, spending.pay(pull.arm, pull.tasks))


def replay(recorded: RecordedPlane, policy: Policy, until: float = 1.0, each=None) -> list[tuple[float, float]]:
    """(share of the exhaustive cost, regret of the recommendation in points) after every pull, up to a share."""
    spending, total = Spending(recorded.problem.costs), recorded.exhaustive()
    truth, trace = recorded.objective, []
    while pulls := policy.ask():
        observation = recorded.observe(pulls[0], spending)
        if spending.spent.total > until * total:
            break
        policy.tell(observation)
        best = recorded.problem.plane.position(policy.recommend().arm)
        trace.append((spending.spent.total / total, float(truth.max() - truth[best])))
        if each is not None and each():
            break
    return trace


def regret_at(trace: Sequence[tuple[float, float]], share: float) -> float:
    """Regret once a share is spent; infinite before the first pull."""
    return next((regret for spent, regret in reversed(trace) if spent <= share * (1 + 1e-9)), float("inf"))


def plane_of(steps: Sequence[int], n_layers: int) -> Plane:
    revisions = tuple(Revision(f"step{step}", step, weights=f"w{step}", tokenizer="t") for step in steps)
    return Plane("model", revisions, n_layers, Extraction(dtype=Dtype.float32))


def synthetic(
    seed: int,
    steps: Sequence[int] = DEMO_STEPS,
    n_layers: int = 4,
    n_tasks: int = 6,
    embed: float = 2.0,
    spread: float = 1.0,
) -> RecordedPlane:
    """A made-up training run: scores rise, peak late and below the last layer, and wander smoothly around that.

    The surfaces come from sums of random waves, not from the policies' own kernels. Layer 0 hardly moves and lies
    apart; every task has its own smooth departure and its own noise. A pass over the texts costs `embed` times a
    cell's evaluation; tasks differ in price by a factor of about exp(`spread`).
    """
    generator = np.random.default_rng(seed)
    time = np.log1p(np.asarray(steps, float)) / np.log1p(steps[-1])
    depth = np.arange(n_layers + 1) / n_layers
    t, d = np.meshgrid(time, depth, indexing="ij")

    def waves(count: int) -> np.ndarray:
        surface = np.zeros((len(time), len(depth)))
        for _ in range(count):
            along, across, phase = generator.uniform(0, 5), generator.uniform(0, 3), generator.uniform(0, 2 * np.pi)
            surface += np.sqrt(2 / count) * np.sin(along * t + across * d + phase)
        return surface

    peak_t, peak_d = generator.uniform(0.5, 1.0), generator.uniform(0.3, 1.0)
    common = 40 + 25 * np.exp(-(((t - peak_t) / 0.4) ** 2)) - 15 * (d - peak_d) ** 2 + 3.0 * waves(12)
    common[:, 0] = common[0, 0] + generator.normal(0, 4) + 2 * time
    scores = np.stack(
        [common + generator.normal(0, 8) + 1.5 * waves(12) + generator.normal(0, 0.5, t.shape) for _ in range(n_tasks)],
        -1,
    )
    tasks = tuple(f"Task{number}" for number in range(n_tasks))
    seconds = np.exp(generator.normal(0, spread, n_tasks))
    costs = CostTable(
        0.5 * float(seconds.sum()),
        {task: embed * float(price) for task, price in zip(tasks, seconds, strict=True)},
        dict(zip(tasks, map(float, seconds), strict=True)),
    )
    problem = Problem(plane_of(steps, n_layers), tasks, dict.fromkeys(tasks, 1 / n_tasks), costs, seed)
    return RecordedPlane(problem, scores.reshape(-1, n_tasks).clip(0, 100))
