"""Search runs and training runs as their commands leave them, with plausible numbers, in a moment."""

import json
import math
from pathlib import Path

import numpy as np

from tl_search.plane.arm import Plane
from tl_search.plane.costs import CostTable, Spending
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision

TASKS = {
    "Banking77Classification": "Classification",
    "STSBenchmark": "STS",
    "TwentyNewsgroupsClustering.v2": "Clustering",
    "SciDocsRR": "Reranking",
}


def write_search_run(
    folder: Path,
    revisions: int = 12,
    n_layers: int = 6,
    pulls: int = 24,
    posterior: bool = True,
    finished: bool = True,
    skipped: int = 1,
    tasks: dict[str, str] = TASKS,
    prefix: str = "step",
    seed: int = 0,
) -> Path:
    """A run on a smooth plane whose best arm is before the end of training and below the last layer.

    Pulls look at the column and layer that a noisy greedy rule names; belief is a Gaussian process through what was
    measured.
    """
    random = np.random.default_rng(seed)
    steps = [0, *sorted({round(math.exp(x)) for x in np.linspace(0, math.log(143_000), revisions * 3)})]
    steps = [steps[round(place)] for place in np.linspace(0, len(steps) - 1, revisions)]
    steps = sorted(set(steps))
    while len(steps) < revisions:
        steps.append(steps[-1] + 1000)
    plane = Plane(
        "pythia-410m",
        tuple(Revision(f"{prefix}{step}", step, step * 2_097_152, f"{step:064x}", "0" * 64) for step in steps),
        n_layers,
        Extraction(dtype=Dtype.float32),
    )
    names = list(tasks)
    truth = {task: surface(len(steps), n_layers, number, random) for number, task in enumerate(names)}
    embed, score = ({task: base + rise * n for n, task in enumerate(names)} for base, rise in ((9.0, 5.0), (0.8, 1.0)))
    costs = CostTable(1.7, embed, score)
    exhaustive = costs.exhaustive(len(steps), n_layers + 1)
    weights = {task: 1 / len(names) for task in names}
    objective = np.mean([truth[task] for task in names], axis=0)

    spending, seen, trajectory = Spending(costs), {}, []
    mean = sd = None
    for t in range(pulls):
        guess = objective + random.normal(0, max(0.6, 6 - t / 3), objective.shape)
        for spot in seen:
            guess[spot] = -1
        spot = tuple(int(number) for number in np.unravel_index(np.argmax(guess), guess.shape))
        arm = plane.arm(plane.revisions[spot[0]], spot[1])
        asked = tuple(names if t % 3 else names[: max(1, len(names) - 1)])
        cost = spending.pay(arm, asked)
        scores = {task: round(float(truth[task][spot]), 4) for task in asked}
        seen[spot] = scores
        measured = {place: np.mean(list(got.values())) for place, got in seen.items()}
        mean, sd = belief(plane, measured) if posterior else (None, None)
        if posterior:
            named = tuple(int(number) for number in np.unravel_index(np.argmax(mean), mean.shape))
            told = {"mean": float(mean[named]), "sd": float(sd[named])}
        else:
            named = max(measured, key=measured.get)
            told = {"mean": float(measured[named]), "sd": 0.0}
        trajectory.append(
            {
                "t": t,
                "model": plane.model,
                "arm": [arm.revision.name, arm.layer],
                "tasks": list(asked),
                "scores": scores,
                "cost": {"load": cost.load, "embed": cost.embed, "score": cost.score},
                "spent": spending.spent.total,
                "share": spending.spent.total / exhaustive.total,
                "recommended": {"arm": [steps_name(plane, named[0]), named[1]], **told},
            }
        )
    parts = {"load": exhaustive.load, "embed": exhaustive.embed, "score": exhaustive.score}
    spent = {"load": spending.spent.load, "embed": spending.spent.embed, "score": spending.spent.score}
    write(
        folder / "plane.json",
        {
            "model": plane.model,
            "revisions": [
                {"name": r.name, "step": r.step, "tokens": r.tokens, "weights": r.weights} for r in plane.revisions
            ],
            "n_layers": n_layers,
            "extraction": plane.extraction.identity(),
            "tasks": [
                {"name": task, "type": kind, "main_score": "accuracy", "split": "selection", "revision": f"{n:07x}a1"}
                for n, (task, kind) in enumerate(tasks.items())
            ],
            "weights": weights,
            "costs": {"load": costs.load, "embed": dict(costs.embed), "score": dict(costs.score)},
            "exhaustive": {**parts, "total": exhaustive.total},
            "parameters": 405_334_016,
        },
    )
    write(
        folder / "bandit_state.json",
        {
            "model": plane.model,
            "policy": "ucb" if posterior else "random",
            "trajectory": trajectory,
            "posterior": {"mean": mean.tolist(), "sd": sd.tolist()} if posterior and pulls else None,
            "stopped": "budget" if finished else None,
        },
    )
    write(
        folder / "run.json",
        {"command": "search", "name": "first-look", "digest": "0" * 16, "versions": {"mteb": "2.26.0"}, "seed": seed},
    )
    (folder / "config.yaml").write_text("checkpoints:\n  path: runs/train/quickstart\n")
    if finished:
        best = next(step for step in reversed(trajectory))["recommended"]["arm"]
        spot = ([r.name for r in plane.revisions].index(best[0]), best[1])
        final = len(steps) - 1
        layer = int(np.argmax(objective[final]))

        def arm_record(place: tuple[int, int]) -> dict:
            scored = {task: round(float(truth[task][place]) - 0.7, 4) for task in names}
            value = float(np.mean(list(scored.values())))
            return {
                "arm": [steps_name(plane, place[0]), place[1]],
                "selection": {"objective": value + 0.7, "tasks": scored},
                "confirmation": {"objective": value, "interval": [value - 1.1, value + 1.2], "tasks": scored},
            }

        arms = [arm_record(spot), arm_record((final, n_layers)), arm_record((final, layer))]
        values = [record["confirmation"]["objective"] for record in arms]
        gains = {}
        for role, value, half in (("final_last", values[1], 0.9), ("final_best", values[2], 0.8)):
            gain = values[0] - value
            interval = [gain - half, gain + half]
            gains[role] = {"gain": gain, "interval": interval, "significant": not interval[0] <= 0 <= interval[1]}
        write(
            folder / "result.json",
            {
                "best": arms[0],
                "final_last": arms[1],
                "final_best": arms[2],
                "gains": gains,
                "confidence": 0.95,
                "tasks": [task_record(plane, task, truth[task]) for task in names],
                "cost": {
                    "search": {**spent, "total": sum(spent.values())},
                    "exhaustive": {**parts, "total": exhaustive.total},
                    "share": sum(spent.values()) / exhaustive.total,
                    "confirmation": {"load": 5.1, "embed": 88.0, "score": 12.5, "total": 105.6},
                },
                "stopped": "budget",
                "pulls": pulls,
                "arms_scored": len(seen),
                "seconds": {"search": 1041.2, "confirmation": 96.4},
                "skipped": [
                    {
                        "arm": [steps_name(plane, n // (n_layers + 1)), n % (n_layers + 1)],
                        "task": names[0],
                        "reason": "vectors: constant, no score",
                    }
                    for n in range(skipped)
                ],
            },
        )
    return folder


def write_training_run(folder: Path, losses: tuple[float | None, ...] = (None, 5.1, 3.2, 3.4, 2.9)) -> Path:
    """A training run's index of revisions, one line each."""
    lines = [
        {
            "name": f"step{100 * number}",
            "step": 100 * number,
            "tokens": 100 * number * 4096,
            "epoch": number // 2,
            "stage": "base",
            "eval_loss": loss,
            "weights": f"{number:064x}",
            "tokenizer": "0" * 64,
        }
        for number, loss in enumerate(losses)
    ]
    path = folder / "checkpoints" / "index.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def steps_name(plane: Plane, column: int) -> str:
    return plane.revisions[column].name


def surface(columns: int, n_layers: int, number: int, random: np.random.Generator) -> np.ndarray:
    """Scores that rise with training and depth, peak at two thirds of both, and fall a little after."""
    x, y = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, n_layers + 1), indexing="ij")
    hill = 24 * np.exp(-(((x - 0.78 + 0.03 * number) / 0.38) ** 2) - ((y - 0.62 + 0.04 * number) / 0.45) ** 2)
    layer_0 = np.where(y == 0, 6.0 + 5 * number, 0)
    smooth = 38 + 3 * number + hill * (1 - np.exp(-9 * x)) + layer_0 * (1 - np.exp(-6 * x))
    return smooth + random.normal(0, 0.5, x.shape)


def belief(plane: Plane, measured: dict[tuple[int, int], float]) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian process over (place in training, depth) through what was measured."""
    columns, layers = len(plane.revisions), plane.n_layers + 1
    x, y = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, layers), indexing="ij")
    spots = np.stack([x.ravel(), y.ravel()], 1)
    known = [row * layers + layer for row, layer in measured]
    values = np.array(list(measured.values()))
    gram = np.exp(-(((spots[known][:, None] - spots[known][None]) / 0.3) ** 2).sum(-1)) + 0.02 * np.eye(len(known))
    cross = np.exp(-(((spots[:, None] - spots[known][None]) / 0.3) ** 2).sum(-1))
    center = values.mean() - 6
    mean = center + cross @ np.linalg.solve(gram, values - center)
    variance = np.clip(1.0 - np.einsum("ij,ji->i", cross, np.linalg.solve(gram, cross.T)), 0.002, None)
    return mean.reshape(columns, layers), 6 * np.sqrt(variance).reshape(columns, layers)


def task_record(plane: Plane, task: str, truth: np.ndarray) -> dict:
    trained = truth.copy()
    trained[0], trained[:, 0] = -1, -1
    control = np.full_like(truth, -1)
    control[0], control[:, 0] = truth[0], truth[:, 0]
    best = [np.unravel_index(np.argmax(table), table.shape) for table in (trained, control)]
    gain = float(truth[best[0]] - truth[best[1]])
    low, high = gain - 1.4, gain + 1.4
    sides = [
        {"arm": [steps_name(plane, int(spot[0])), int(spot[1])], "confirmation": float(truth[spot])} for spot in best
    ]
    verdict = "no difference" if low <= 0 <= high else "trained" if gain > 0 else "control"
    return {
        "task": task,
        "trained": sides[0],
        "control": sides[1],
        "gain": gain,
        "interval": [low, high],
        "verdict": verdict,
    }
