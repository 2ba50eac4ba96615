"""The unit of work: what a job is, what the local worker makes of it, and that a search needs no more of a worker."""

import pickle

import numpy as np

from tl_search.bandits.policy import Problem
from tl_search.bandits.random import Random
from tl_search.bandits.stopping import Stopping
from tl_search.plane.arm import Plane
from tl_search.plane.costs import CostTable
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.pull import Score, TaskSpec
from tl_search.plane.revision import Revision
from tl_search.probe.session import ProbeSession
from tl_search.scoring.ledger import Ledger
from tl_search.search.budget import Budget
from tl_search.search.column import Cell, ColumnJob, ColumnResult, ColumnWorker, LocalWorker
from tl_search.search.loop import Search
from tl_search.search.prefetch import Prefetch
from tl_search.search.run import survey
from tl_search.search.texts import SuiteTexts
from tl_search.search.trajectory import Trajectory
from tl_search.store.arrays import ArrayStore

REVISIONS = tuple(Revision(f"step{step}", step, weights=f"w{step}", tokenizer="t") for step in (0, 4, 16))
TASKS = tuple(TaskSpec(name, "r", "test", "STS", "x") for name in ("A", "B"))


def local_worker(plan) -> LocalWorker:
    plane, tasks = survey(plan), plan.tasks.selection()
    suite = SuiteTexts(tasks, plan.tasks.texts(tasks))
    stores = ArrayStore(plan.embeddings), Ledger(plan.ledger)
    return LocalWorker(Prefetch(plan.checkpoints.fetch), plane, suite, ProbeSession(plan.probe), *stores)


def test_a_job_is_the_same_after_it_was_pickled():
    job = ColumnJob(REVISIONS[1], tuple(Cell(layer, task) for layer in (0, 2) for task in TASKS))
    assert pickle.loads(pickle.dumps(job)) == job


def test_cells_of_several_layers_are_scored_with_one_embedding_of_their_texts(plan, count):
    worker = local_worker(plan())
    cells = tuple(Cell(layer, task) for layer in worker.plane.layers for task in worker.suite.tasks)
    result = worker.run_column(ColumnJob(worker.plane.revisions[1], cells))
    assert tuple(result.scores) == cells
    assert {(score.arm.layer, score.task) for score in result.scores.values()} == {(c.layer, c.task) for c in cells}
    assert not result.failures
    assert sum(number for key, number in count.items() if key[0] == "pass") == len(worker.suite.tasks)  # a part each
    assert pickle.loads(pickle.dumps(result)).scores == result.scores


def test_a_job_of_several_layers_scores_as_a_job_for_each_layer(plan, tmp_path):
    together, apart = local_worker(plan()), local_worker(plan(ledger=tmp_path / "other"))
    revision, (task, *_) = together.plane.revisions[2], together.suite.tasks
    cells = tuple(Cell(layer, task) for layer in together.plane.layers)
    scores = together.run_column(ColumnJob(revision, cells)).scores
    for cell in cells:
        (score,) = apart.run_column(ColumnJob(revision, (cell,))).scores.values()
        assert score.value == scores[cell].value


class Elsewhere:
    """A worker that sends pickles, as one on another machine would; layer 2 of step4 fails there."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.ran: list[ColumnJob] = []
        self.expected: list[ColumnJob] = []

    def run_column(self, job: ColumnJob) -> ColumnResult:
        arrived = pickle.loads(pickle.dumps(job))
        self.ran.append(arrived)
        fails = [cell for cell in arrived.cells if (arrived.revision.name, cell.layer) == ("step4", 2)]
        scores = {
            cell: Score(self.plane.arm(arrived.revision, cell.layer), cell.task, 0.1 * cell.layer)
            for cell in arrived.cells
            if cell not in fails
        }
        return pickle.loads(pickle.dumps(ColumnResult(scores, dict.fromkeys(fails, "no vectors"))))

    def expect(self, job: ColumnJob) -> None:
        self.expected.append(job)


def test_a_search_runs_with_a_worker_that_only_keeps_the_protocol(tmp_path):
    plane, prices = Plane("m", REVISIONS, 2, Extraction(dtype=Dtype.float32)), {"A": 1.0, "B": 2.0}
    problem = Problem(plane, ("A", "B"), {"A": 0.5, "B": 0.5}, CostTable(1.0, prices, prices))
    elsewhere = Elsewhere(plane)
    worker: ColumnWorker = elsewhere
    trajectory = Trajectory(tmp_path, "m", "random", 10.0)
    search = Search(problem, Random().start(problem), worker, TASKS, Budget(share=1.0), Stopping(), trajectory)
    assert search.run() == "done"
    assert [(job.revision.name, [(c.layer, c.task.name) for c in job.cells]) for job in elsewhere.ran[:3]] == [
        ("step16", [(layer, "A"), (layer, "B")]) for layer in range(3)
    ]
    assert {(job.revision, cell) for job in elsewhere.ran for cell in job.cells} == {
        (revision, Cell(layer, task)) for revision in REVISIONS for layer in plane.layers for task in TASKS
    }
    assert elsewhere.expected == elsewhere.ran[4:]  # every guess of a policy that no score changes comes true
    assert search.failures == {(plane.arm(REVISIONS[1], 2), name): "no vectors" for name in ("A", "B")}
    assert search.objective(plane.arm(REVISIONS[0], 2)) == 20.0


def test_vectors_that_cannot_be_those_of_the_texts_are_made_again(plan):
    worker = local_worker(plan())
    revision, task = worker.plane.revisions[1], worker.suite.tasks[0]
    job = ColumnJob(revision, (Cell(0, task),))
    first = worker.run_column(job)
    (path,) = [path for path in worker.embeddings.folder.glob("*/*.safetensors") if path.parent.parent.name != "tokens"]
    layers = worker.embeddings.get(path.stem)
    wrong = {name: np.full((3, 2), np.nan, np.float32) for name in layers}
    worker.embeddings.put(path.stem, wrong)  # as a folder that somebody shares may hold it, with sums that fit
    (worker.ledger.path(worker.plane.arm(revision, 0), task)).unlink()
    again = worker.run_column(job)
    assert [score.value for score in again.scores.values()] == [score.value for score in first.scores.values()]
    assert worker.embeddings.damaged == [path.stem]
    assert worker.embeddings.get(path.stem).keys() == layers.keys()
