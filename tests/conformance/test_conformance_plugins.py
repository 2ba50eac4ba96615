"""A new part is one file and one YAML, in folders outside this package: one of every kind, used by the command line."""

import json
import os
import subprocess
import sys
from csv import DictReader
from pathlib import Path
from types import SimpleNamespace

import pytest

from tl_search.text.corpus import fingerprint

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "theirs/corpora/numbers.py": '''
from dataclasses import dataclass
from typing import ClassVar

from tl_search.text.corpus import Corpus


@dataclass(frozen=True)
class Numbers(Corpus):
    """Every document counts on from a number."""

    documents_in_all: int
    note: str = ""

    DECIDES: ClassVar = {"weights": "documents_in_all", "free": "note"}

    def documents(self):
        for first in range(self.documents_in_all):
            yield " ".join(str(first + number) for number in range(20))
''',
    "theirs/families/small_gpt2.py": '''
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
        ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        return random_weights(GPT2Config(vocab_size=rows(tokenizer), **shape, **ends), seed)
''',
    "theirs/schedules/halves.py": (Path(__file__).parents[1] / "halves_schedule.py").read_text(),
    "theirs/losses/sharpness.py": """
def loss(logits, targets):
    return -logits.softmax(-1).max(-1).values.mean()
""",
    "archive.py": '''
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
    "theirs/samplings/ends.py": '''
from dataclasses import dataclass


@dataclass(frozen=True)
class Ends:
    """The first and the last revision."""

    def pick(self, revisions):
        return (revisions[0], revisions[-1])
''',
    "theirs/tasks/parity.py": '''
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
    "theirs/objectives/first.py": '''
from dataclasses import dataclass


@dataclass(frozen=True)
class FirstTask:
    """The first task counts `share`, all others share the rest."""

    share: float

    def weights(self, tasks):
        return {task.name: self.share if task is tasks[0] else (1 - self.share) / (len(tasks) - 1) for task in tasks}
''',
    "theirs/metrics/vector_length.py": '''
from dataclasses import dataclass

from tl_search.probe.measuring.metric import OfVectors, option


@dataclass(frozen=True)
class VectorLength(OfVectors):
    """How long the vectors of all texts are."""

    power: float = option(1.0, least=0)

    def measure(self, vectors):
        return vectors.double().norm(dim=-1).pow(self.power).mean(-1)
''',
    "theirs/policies/backwards.py": '''
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
  sharp: {_target_: tl_search.plane.curriculum.Stage, name: sharp, start: 0, weights: {next_token: 1.0, sharpness: 0.1}}
""",
    "checkpoints/archive": "{_target_: archive.Archive, root: '???', folders: [step2, step4, step8]}",
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
         "+logger.table._target_=lightning.pytorch.loggers.CSVLogger", "trainer.log_every_n_steps=1",
         "callbacks.progress=null")  # fmt: skip
SEARCH = ("checkpoints=archive", "sampling=ends", "tasks=parity", "objective=first", "metrics=lengths",
          "bandit=backwards", "confirm.resamples=100", "confirm.controls=false", "probe.accelerator=cpu")  # fmt: skip
EACH = """
import contextlib, io, json, sys
from pathlib import Path
from tl_search.cli.main import main
for words in json.loads(sys.argv[1]):
    run = next(iter(Path("runs/train").glob("*")), "")
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = main([word.replace("{run}", str(run)) for word in words])
    print(json.dumps([code, said.getvalue()]))
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """Run command lines in a folder with a package `theirs` with options, and a module `archive`; codes and messages.

    All lines run in one new process, one after the other; `{run}` in them is the training run.
    """
    folder = tmp_path_factory.mktemp("outside")
    options = {f"theirs/conf/{name}.yaml": f"# Theirs.\n{text.strip()}\n" for name, text in OPTIONS.items()}
    for name, text in {**FILES, **options}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def run(*lines):
        command = [sys.executable, "-c", EACH, json.dumps(lines)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]

    run.folder, run.conf = folder, f"hydra.searchpath=[file://{folder}/theirs/conf]"
    return run


@pytest.fixture(scope="module")
def said(outside):
    """What became of a training, of its command with another note, of its resumption and of a search, by name."""
    allowed = "plugins=[theirs,archive]"
    lines = {
        "train": ["train", *TRAIN],
        "another note": ["train", *TRAIN, "data.corpus.note=again"],
        "resume": ["train", "resume={run}", "data.corpus.note=again", "schedule.least=2"],
        "search": ["search", *SEARCH, "checkpoints.root={run}/revisions"],
    }
    return dict(zip(lines, outside(*([*words, allowed] for words in lines.values())), strict=True))


def read(path):
    return json.loads(path.read_text())


def only(folder):
    (run,) = (path for path in folder.iterdir() if path.is_dir())
    return run


@pytest.fixture(scope="module")
def trained(outside, said):
    assert said["train"][0] == 0, said["train"]
    return only(outside.folder / "runs" / "train")


@pytest.fixture(scope="module")
def searched(outside, said):
    assert said["search"][0] == 0, said["search"]
    return only(outside.folder / "runs" / "search")


@pytest.mark.slow
def test_a_training_is_made_of_their_corpus_family_schedule_and_loss_term(trained):
    documents = [" ".join(str(first + number) for number in range(20)) for first in range(60)]
    record = read(trained / "run.json")
    assert record["data"]["corpus"] == fingerprint(SimpleNamespace(documents=lambda: documents))[0]
    model = read(trained / "revisions" / "main" / "config.json")
    assert (model["model_type"], model["n_embd"], model["n_layer"]) == ("gpt2", 16, 1)
    assert {path.name for path in (trained / "revisions").glob("step*")} == {"step2", "step4", "step8"}
    (table,) = trained.rglob("metrics.csv")
    lines = [line for line in DictReader(table.read_text().splitlines()) if line["train/sharpness"]]
    for line in lines:
        expected = float(line["train/next_token"]) + 0.1 * float(line["train/sharpness"])
        assert float(line["train/loss"]) == pytest.approx(expected)
    assert lines


def test_a_setting_that_their_class_calls_free_names_no_other_run(said, trained):
    assert said["another note"][0] == 0, said["another note"]


def test_a_training_goes_on_with_the_options_that_it_was_made_of(said, trained):
    assert said["resume"][0] == 0, said["resume"]


def test_a_search_is_made_of_their_source_sampling_tasks_objective_metric_and_policy(searched):
    plane = read(searched / "plane.json")
    assert plane["model"] == "archived"
    assert [revision["name"] for revision in plane["revisions"]] == ["version0", "version2"]
    assert plane["weights"] == {"ParitySTS": 0.75, "ParityClassification": 0.25}
    assert read(searched / "result.json")["best"]["confirmation"]["tasks"].keys() == plane["weights"].keys()
    # the final checkpoint's last layer comes first in any search; the policy goes back from there
    order = [json.loads(line)["arm"] for line in (searched / "pulls.jsonl").read_text().splitlines()]
    assert read(searched / "bandit_state.json")["policy"] == "backwards"
    assert order[-2:] == [["version0", 1], ["version0", 0]]
    (measured,) = searched.rglob("version2/layer_001.json")
    assert read(measured)["metrics"]["vector_length"] > 0


@pytest.mark.slow
def test_without_permission_each_is_refused_in_one_line(outside, trained):
    refused = {
        "data=numbers": "data.corpus._target_: theirs.corpora.numbers.Numbers is not allowed here",
        "model=small_gpt2": "model._target_: theirs.families.small_gpt2.SmallGPT2 is not allowed here",
        "schedule=halves": "schedule._target_: theirs.schedules.halves.Halves is not allowed here",
        "curriculum=sharp": "curriculum.stages.sharp.weights: must name terms out of contrastive, log_normaliser, "
        "next_token, got",
        "checkpoints=archive": "checkpoints._target_: archive.Archive is not allowed here",
        "sampling=ends": "sampling._target_: theirs.samplings.ends.Ends is not allowed here",
        "tasks=parity": "tasks.names: no task 'ParitySTS'",
        "objective=first": "objective._target_: theirs.objectives.first.FirstTask is not allowed here",
        "metrics=lengths": "metrics.measures: must be of anisotropy, ",
        "bandit=backwards": "bandit._target_: theirs.policies.backwards.Backwards is not allowed here",
    }
    assert {option.replace("/", "=") for option in OPTIONS} == refused.keys()
    lines = []
    for word in refused:
        train = word.partition("=")[0] in ("data", "model", "schedule", "curriculum")
        more = ["checkpoints.root=."] if word == "checkpoints=archive" else [] if train else [str(trained)]
        lines.append(["train" if train else "search", outside.conf, word, *more])
    for (code, message), start in zip(outside(*lines), refused.values(), strict=True):
        assert (code, message.count("\n")) == (2, 1), message
        assert message.startswith(f"error: {start}")
