"""What a person's own callbacks, loggers, optimizer and environment raise is one line that names them; exit code 2."""

import shutil
import sys
from pathlib import Path

import pytest
from tiny_training import TINY, only_run

from tl_search.cli.main import main
from tl_search.training.module import CausalLM

CALLBACKS, LOGGERS = "lightning.pytorch.callbacks", "lightning.pytorch.loggers"
FAILS = '''
"""Fails where it is told to, once."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fails:
    hook: str
    step: int = 0
    kind: str = "KeyError"

    def fail(self, trainer=None, *_, **__):
        if not Path("mended").exists() and (trainer is None or trainer.global_step == self.step):
            raise OSError(28, "full") if self.kind == "OSError" else KeyError("lost")

    def start(self):
        from lightning.pytorch import Callback

        if self.hook == "start":
            self.fail()
        return type("Failing", (Callback,), {self.hook: lambda own, *given, **named: self.fail(*given, **named)})()
'''


def callback(kind, settings="", name="mine"):
    return f"+callbacks.{name}={{_target_: {CALLBACKS}.{kind}{settings and ', '}{settings}}}"


def logger(kind, settings=""):
    return f"+logger.mine={{_target_: {LOGGERS}.{kind}{settings and ', '}{settings}}}"


def sgd(kind):
    return (
        f"optimizer._target_=torch.optim.{kind}",
        *(f"~optimizer.{name}" for name in ("warmup_steps", "final_share")),
    )


@pytest.fixture
def train(folder, capsys):
    """Run `tl train`; its exit code and the lines on stderr that are no news of the run."""

    def run(*words):
        capsys.readouterr()
        code = main(["train", *TINY, *words])
        lines = capsys.readouterr().err.splitlines()
        return code, [line for line in lines if not line.startswith(("text: ", "step ", "plugins: "))]

    return run


@pytest.fixture
def fails(folder):
    """A package `mine_failing` whose callback fails in a hook; the words that name it."""
    (folder / "mine_failing").mkdir()
    (folder / "mine_failing" / "parts.py").write_text(FAILS)

    def words(hook, **settings):
        given = "".join(f", {name}: {value}" for name, value in settings.items())
        return "plugins=[mine_failing]", f"+callbacks.own={{_target_: mine_failing.parts.Fails, hook: {hook}{given}}}"

    yield words
    for module in [name for name in sys.modules if name.startswith("mine_failing")]:
        del sys.modules[module]


UNABLE = [
    (
        callback("Timer", "duration: 00:00:10:00"),
        "callbacks.mine: must not be Timer, which also counts the time before a",
    ),
    (callback("BatchSizeFinder"), "callbacks.mine: must not be BatchSizeFinder, since data.batch_size is"),
    (callback("LearningRateFinder"), "callbacks.mine: must not be LearningRateFinder, since optimizer.lr is"),
    (callback("StochasticWeightAveraging", "swa_lrs: 1e-2"), "callbacks.mine: must not be StochasticWeightAveraging,"),
    (callback("EMAWeightAveraging"), "callbacks.mine: must not be EMAWeightAveraging, whose average no revision"),
    (callback("BackboneFinetuning"), "callbacks.mine: must not be BackboneFinetuning, since the model has no"),
    (callback("ModelPruning", "pruning_fn: l1_unstructured"), "callbacks.mine: must not be ModelPruning, since revisi"),
    (callback("ModelCheckpoint", "save_top_k: 3"), "callbacks.mine: must not be ModelCheckpoint, since a run goes on"),
    (callback("OnExceptionCheckpoint", "dirpath: a"), "callbacks.mine: must not be OnExceptionCheckpoint, since a run"),
    (callback("TQDMProgressBar"), "callbacks.mine: must not be TQDMProgressBar, since callbacks.progress shows"),
    (callback("ThroughputMonitor", "batch_size_fn: 3"), "callbacks.mine.batch_size_fn: must be a Callable"),
    (callback("LearningRateMonitor"), "callbacks.mine: LearningRateMonitor needs a logger, such as logger=tensorboard"),
    (callback("DeviceStatsMonitor"), "callbacks.mine: DeviceStatsMonitor needs a logger, such as logger=tensorboard"),
    (
        callback("GradientAccumulationScheduler", "scheduling: {}"),
        "callbacks.mine.scheduling: must be 1 in every epoch",
    ),
    (callback("GradientAccumulationScheduler", "scheduling: {0: 4}"), "callbacks.mine.scheduling: must be 1 in every"),
    (
        callback("EarlyStopping", "monitor: eval/loss, patience: many"),
        "callbacks.mine.patience: must be an integer, got ",
    ),
    (
        callback("LearningRateMonitor", "logging_interval: daily"),
        "callbacks.mine.logging_interval: must be one of step,",
    ),
    (
        logger("CSVLogger", "flush_logs_every_n_steps: often"),
        "logger.mine.flush_logs_every_n_steps: must be an integer,",
    ),
    (
        "+trainer.profiler={dirpath: a}",
        "trainer.profiler: must be a Profiler (a node with its _target_) or text or null",
    ),
    ("trainer.log_every_n_steps=often", "trainer.log_every_n_steps: must be an integer, got 'often'"),
]


@pytest.mark.parametrize(("word", "told"), UNABLE, ids=[told.partition(",")[0] for _, told in UNABLE])
@pytest.mark.slow_but_every(3)
def test_what_can_never_work_is_refused_before_anything_is_loaded(train, folder, word, told):
    code, said = train(word)
    assert (code, len(said)) == (2, 1), said
    assert said[0].startswith(f"error: {told}")
    assert not list(folder.iterdir())


EARLY = "monitor: eval/loss"


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([callback("EarlyStopping", f"{EARLY}, mode: up")], "callbacks.mine: `mode` can be min, max, got up"),
        (
            [callback("EarlyStopping", EARLY), callback("EarlyStopping", EARLY, name="second")],
            "callbacks.second: must differ from callbacks.mine in what it is made of",
        ),
        ([logger("MLFlowLogger")], "logger.mine: Requirement 'mlflow"),
        ([logger("CometLogger")], "logger.mine: Requirement 'comet-ml"),
        ([*sgd("AdamW"), "optimizer.lr=-1"], "optimizer: Invalid learning rate: -1"),
        (
            ["+trainer.profiler={_target_: lightning.pytorch.profilers.XLAProfiler}"],
            "trainer.profiler: Requirement 'torch_xla",
        ),
        (["model.width=1000000"], "model: must fit into this machine's memory of"),
    ],
)
def test_what_cannot_be_made_is_told_before_the_text_is_read(train, words, told):
    code, said = train(*words)
    assert (code, len(said)) == (2, 1), said
    assert said[0].startswith(f"error: {told}")
    assert nothing_left()
    assert not Path("runs", "cache").exists()


def test_a_job_of_several_slurm_tasks_is_told_what_to_ask_for(train, monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "2")
    code, said = train()
    assert (code, said) == (2, [
        "error: SLURM_NTASKS: must be 1, since a run starts one process for each of trainer.devices by itself, got 2; "
        "ask SLURM for --ntasks=1"
    ])  # fmt: skip
    assert nothing_left()


def test_memory_that_ends_while_weights_are_drawn_is_one_line(train, monkeypatch):
    from tl_search.training.families.pythia import Pythia

    def draw(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Pythia, "build", draw)
    code, said = train()
    assert (code, len(said)) == (2, 1), said
    assert said[0].startswith("error: model: does not fit into the memory (DefaultCPUAllocator")
    assert nothing_left()


@pytest.mark.slow_but_one
@pytest.mark.parametrize("hook", ["start", "setup", "on_train_batch_start"])
def test_an_own_callback_that_fails_before_the_first_step_leaves_nothing(train, fails, hook):
    code, said = train(*fails(hook), "logger=tensorboard")
    assert (code, said) == (2, ["error: callbacks.own: KeyError: 'lost' (parts.py, line 16)"])
    assert nothing_left()


@pytest.mark.slow
def test_one_that_fails_later_keeps_what_was_trained_and_its_traceback(train, fails, trained):
    words = fails("on_train_batch_end", step=3)
    code, said = train(*words)
    log = only_run() / "traceback.log"
    assert (code, len(said)) == (2, 1), said
    assert said[0].startswith("error: callbacks.own: KeyError: 'lost' (parts.py, line 16), at step 3; what was saved")
    assert said[0].endswith(f"the traceback is in {log}")
    assert "parts.py" in log.read_text()
    assert (only_run() / "checkpoints" / "step2" / "state.ckpt").is_file()
    shutil.copyfile(log, "mended")
    assert train(*words)[0] == 0
    final = "revisions/step4/model.safetensors"
    assert (only_run() / final).read_bytes() == (trained / final).read_bytes()


@pytest.mark.slow
def test_a_full_disk_is_told_as_such_whoever_meets_it(train, fails):
    code, said = train(*fails("on_train_batch_end", step=1, kind="OSError"))
    assert code == 75
    assert said[-1].startswith("error: full; what is on disk is whole")


@pytest.mark.slow
def test_an_optimizer_that_refuses_its_first_step_is_named(train):
    code, said = train(*sgd("SparseAdam"), "~optimizer.weight_decay")
    assert (code, len(said)) == (2, 1), said
    assert said[0].startswith("error: optimizer: SparseAdam does not support dense gradients")
    assert nothing_left()


@pytest.mark.slow
def test_an_error_of_the_model_is_not_laid_on_the_optimizer_whose_step_called_it(train, monkeypatch):
    def fail(*_):
        raise KeyError("ours")

    monkeypatch.setattr(CausalLM, "training_step", fail)
    code, said = train(*sgd("SGD"), "~optimizer.betas", "~optimizer.eps")
    assert code == 1
    assert said[-1] == "KeyError: 'ours'"


def nothing_left():
    """Whether there is no run directory."""
    return not list(Path("runs", "train").glob("*"))
