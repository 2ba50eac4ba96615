"""A new part is one file and one YAML, in folders outside this package: one of every kind, used by the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "corpora/numbers.py": '''
from dataclasses import dataclass

from tl_search.text.corpus import Corpus


@dataclass(frozen=True)
class Numbers(Corpus):
    """Every document counts on from a number."""

    documents_in_all: int
    note: str = ""

    DECIDES = {"weights": "documents_in_all", "free": "note"}

    def documents(self):
        for first in range(self.documents_in_all):
            yield " ".join(str(first + number) for number in range(20))
''',
    "families/small_gpt2.py": '''
from dataclasses import dataclass

from tl_search.training.model import random_weights
from tl_search.training.tokens import rows


@dataclass(frozen=True)
class SmallGPT2:
    """GPT-2 with one block."""

    width: int
    context: int

    def parameters(self, vocabulary):
        return vocabulary * self.width

    def flops_per_token(self, vocabulary):
        return 6.0 * self.parameters(vocabulary)

    def build(self, tokenizer, seed):
        from transformers import GPT2Config

        shape = {"n_embd": self.width, "n_layer": 1, "n_head": 2, "n_positions": self.context}
        return random_weights(GPT2Config(vocab_size=rows(tokenizer), **shape), seed)
''',
    "schedules/halves.py": '''
from dataclasses import dataclass


@dataclass(frozen=True)
class Halves:
    """Half of the run, half of that, and so on."""

    least: int = 1

    def steps(self, horizon):
        found = [horizon.total]
        while found[-1] // 2 >= self.least:
            found.append(found[-1] // 2)
        return tuple(reversed(found))

    def kept(self, horizon):
        return {horizon.total}
''',
    "losses/sharpness.py": """
def loss(logits, targets):
    return -logits.softmax(-1).max(-1).values.mean()
""",
    "sources/archive.py": '''
from dataclasses import dataclass
from pathlib import Path

from tl_search.checkpoints.source import shape_of
from tl_search.plane.revision import Revision
from tl_search.runs.digests import folder_digests


@dataclass(frozen=True)
class Archive:
    """Knows which folders it has; their names say nothing."""

    root: str
    folders: tuple[str, ...]
    model: str = "archived"

    def revisions(self):
        named = enumerate(self.folders)
        return tuple(
            Revision(f"version{n}", 10 * n, None, *folder_digests(Path(self.root, folder))) for n, folder in named
        )

    def fetch(self, revision):
        return Path(self.root, self.folders[revision.step // 10])

    def shape(self):
        return shape_of(self.fetch(self.revisions()[0]))
''',
    "samplings/ends.py": '''
from dataclasses import dataclass


@dataclass(frozen=True)
class Ends:
    """The first and the last revision."""

    def pick(self, revisions):
        return (revisions[0], revisions[-1])
''',
    "tasks/parity.py": '''
from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskClassification, AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata

SPLITS = ["train", "selection", "confirmation"]


def described(name, kind, main_score):
    return TaskMetadata(
        name=name, description="", type=kind, main_score=main_score, category="t2t", eval_splits=SPLITS[1:],
        eval_langs=["eng-Latn"], dataset={"path": name, "revision": "1"},
    )


class ParitySTS(AbsTaskSTS):
    """Which two numbers are both even or both odd?"""

    metadata = described("ParitySTS", "STS", "cosine_spearman")

    def load_data(self, num_proc=None, **_):
        rows = {"sentence1": [f"a {n}" for n in range(30)], "sentence2": [f"b {7 * n}" for n in range(30)]}
        table = Dataset.from_dict({**rows, "score": [float(n % 2) + n / 100 for n in range(30)]})
        self.dataset, self.data_loaded = DatasetDict({split: table for split in SPLITS}), True


class ParityClassification(AbsTaskClassification):
    """Is a number even?"""

    metadata = described("ParityClassification", "Classification", "accuracy")
    samples_per_label, n_experiments = 4, 2

    def load_data(self, num_proc=None, **_):
        rows = {"text": [f"{n} is a number" for n in range(30)], "label": [n % 2 for n in range(30)]}
        table = Dataset.from_dict(rows)
        self.dataset, self.data_loaded = DatasetDict({split: table for split in SPLITS}), True
''',
    "objectives/first.py": '''
from dataclasses import dataclass


@dataclass(frozen=True)
class FirstTask:
    """The first task counts `share`, all others share the rest."""

    share: float

    def weights(self, tasks):
        return {task.name: self.share if task is tasks[0] else (1 - self.share) / (len(tasks) - 1) for task in tasks}
''',
    "metrics/vector_length.py": '''
from dataclasses import dataclass

from tl_search.probe.measuring.metric import OfVectors, option


@dataclass(frozen=True)
class VectorLength(OfVectors):
    """How long the vectors of all texts are."""

    power: float = option(1.0, least=0)

    def measure(self, vectors):
        return vectors.double().norm(dim=-1).pow(self.power).mean(-1)
''',
    "policies/backwards.py": '''
from dataclasses import dataclass

from tl_search.bandits.fixed_order import FixedOrder
from tl_search.bandits.policy import PolicyConfig


@dataclass(frozen=True)
class Backwards(PolicyConfig):
    """The last arm first; the budget ends it unless it is `patient`."""

    budgeted = False

    def start(self, problem):
        return FixedOrder(problem, lambda left, generator: left[-1])
''',
}
OPTIONS = {
    "data/numbers": """
_target_: tl_search.training.data.Text
corpus: {_target_: theirs.corpora.numbers.Numbers, documents_in_all: 60, note: ""}
batch_size: 2
validation_share: 0.1
validation_batches: 2
""",
    "model/small_gpt2": "{_target_: theirs.families.small_gpt2.SmallGPT2, width: 16, context: 16}",
    "schedule/halves": "{_target_: theirs.schedules.halves.Halves, least: 2}",
    "curriculum/sharp": """
_target_: tl_search.plane.curriculum.Curriculum
stages:
  sharp: {_target_: tl_search.plane.curriculum.Stage, name: sharp, start: 0, losses: {next_token: 1.0, sharpness: 0.1}}
""",
    "checkpoints/archive": "{_target_: theirs.sources.archive.Archive, root: '???', folders: [step2, step4, step8]}",
    "sampling/ends": "{_target_: theirs.samplings.ends.Ends}",
    "tasks/parity": """
_target_: tl_search.scoring.suites.Suite
names: [ParitySTS, ParityClassification]
""",
    "objective/first": "{_target_: theirs.objectives.first.FirstTask, share: 0.75}",
    "metrics/lengths": """
_target_: tl_search.probe.measuring.config.MetricsConfig
columns: all
measures: {vector_length: {power: 2}}
""",
    "bandit/backwards": "{_target_: theirs.policies.backwards.Backwards}",
}
TRAIN = ("data=numbers", "model=small_gpt2", "schedule=halves", "curriculum=sharp", "tokenizer=bytes",
         "trainer.max_steps=8", "trainer.accelerator=cpu", "optimizer.warmup_steps=1", "logger=none",
         "callbacks.progress=null")  # fmt: skip
SEARCH = ("checkpoints=archive", "sampling=ends", "tasks=parity", "objective=first", "metrics=lengths",
          "bandit=backwards", "confirm.resamples=100", "confirm.controls=false", "probe.accelerator=cpu")  # fmt: skip
EACH = """
import contextlib, io, json, sys
from tl_search.cli.main import main
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = main(words)
    print(json.dumps([code, said.getvalue()]))
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """Run Python in a folder with a package `theirs` and options in `conf`; its exit code, output and messages."""
    folder = tmp_path_factory.mktemp("outside")
    texts = {f"theirs/{name}": text for name, text in FILES.items()}
    texts |= {f"conf/{name}.yaml": f"# Theirs.\n{text.strip()}\n" for name, text in OPTIONS.items()}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def run(*words, allowed="theirs"):
        paths = os.pathsep.join((str(ROOT), str(folder)))
        more = {"PYTHONPATH": paths, "TL_PLUGINS": allowed, "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True)

    def tl(command, *words, **more):
        return run("-m", "tl_search", command, f"hydra.searchpath=[file://{folder}/conf]", *words, **more)

    run.folder, run.tl = folder, tl
    return run


def read(path):
    return json.loads(path.read_text())


def only(folder):
    (run,) = (path for path in folder.iterdir() if path.is_dir())
    return run


@pytest.fixture(scope="module")
def trained(outside):
    done = outside.tl("train", *TRAIN)
    assert done.returncode == 0, done.stderr
    return only(outside.folder / "runs" / "train")


@pytest.fixture(scope="module")
def searched(outside, trained):
    done = outside.tl("search", *SEARCH, f"checkpoints.root={trained}/revisions")
    assert done.returncode == 0, done.stderr
    return only(outside.folder / "runs" / "search")
