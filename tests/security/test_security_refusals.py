"""What a library would find wrong only when it uses it is refused at once, and nothing is made: no empty folder."""

import pytest
from security.conftest import SMALL

EARLY = "lightning.pytorch.callbacks.EarlyStopping"
WRONG = {
    # types, from the annotations of the classes
    "trainer.log_every_n_steps=[[[]]]": "trainer.log_every_n_steps: must be an integer, got",
    "trainer.log_every_n_steps=-1": "trainer.log_every_n_steps: must be >= 0",
    "trainer.precision=[[[]]]": "trainer.precision: must be text or an integer or null, got",
    "+trainer.benchmark=abc": "trainer.benchmark: must be true or false, got 'abc'",
    "+trainer.deterministic=abc": "trainer.deterministic: must be true or false or one of warn",
    "+trainer.profiler=[[[]]]": "trainer.profiler: must be a Profiler (a node with its _target_) or text",
    "+trainer.strategy=[[[]]]": "trainer.strategy: must be text or a Strategy (a node with its _target_)",
    "trainer.accelerator=[[[]]]": "trainer.accelerator: must be text or a Accelerator",
    "trainer.devices=[a]": "trainer.devices: must be a list or text or an integer",
    f"+callbacks.x={{_target_:{EARLY},monitor:eval/loss,patience:abc}}": "callbacks.x.patience: must be an integer",
    "+logger.x={_target_:lightning.pytorch.loggers.CSVLogger,save_dir:[[]]}": "logger.x.save_dir: must be text or a",
    "+logger.x={_target_:lightning.pytorch.loggers.TensorBoardLogger,save_dir:x,version:[]}": "logger.x.version: must",
    "optimizer={_target_:torch.optim.SGD,momentum:much}": "optimizer",
    # what Lightning itself finds, once the run has its folder
    "+trainer.profiler=foo": "trainer: When passing string value for the `profiler`",
    "+trainer.strategy=foo": "trainer: You selected an invalid strategy name",
    "+trainer.gradient_clip_algorithm=abc": "trainer: `gradient_clip_algorithm` abc is invalid",
    "+trainer.barebones=true": "trainer: `Trainer(barebones=True",
    "trainer.accelerator=tpu": "trainer",
    # Hydra's part
    "hydra.verbose=[[[]]]": "hydra.verbose: must be",
    "hydra.job.chdir=true": "hydra.job.chdir: must be false",
    "hydra.job_logging.root.level=LOUD": "hydra.job_logging.root.level: must be an integer or one of DEBUG",
    "hydra.job_logging.root.handlers=[nope]": "hydra.job_logging.root.handlers: there is no handler 'nope'",
    "hydra.job_logging.version=7": "hydra.job_logging.version: must be one of 1",
    "hydra.job_logging.formatters.short.format=[[[]]]": "formatters.short.format: must be text",
    "hydra.job_logging.formatters.short.format=none": "formatters.short.format: ",
    "+hydra.job_logging.handlers.file.mode=zz": "handlers.file.mode: must be one of a, w",
    "+hydra.job_logging.handlers.file.encoding=zz": "handlers.file.encoding: unknown encoding",
    "-m hydra/launcher=submitit_local hydra.launcher.timeout_min=[[[]]]": "hydra.launcher.timeout_min: ",
    "-m hydra/launcher=submitit_local hydra.launcher.timeout_min=-5": "hydra.launcher.timeout_min: must be >= 1",
    "-m hydra/launcher=submitit_slurm seed=1,2": "there is no SLURM here",
    # numbers that end hours later, and paths that are none
    "model.width=1e6": "model: must fit into this machine's memory",
    "model.width=1e12": "model.width: must be <= 1,000,000",
    "tokenizer=trained tokenizer.vocab_size=1e12": "tokenizer.vocab_size: must be <= 10,000,000",
    "trainer.devices=1e12": "trainer.devices: must be <= 1,024",
    "trainer.max_steps=1e18": "trainer.max_steps: must be <= 1,000,000,000,000",
    "data.batch_size=1e30": "data.batch_size: must be an integer of at most 64 bits",
    "data.corpus.path=''": "data.corpus.path: must be a path",
    "cache=''": "cache: must be a path",
    "runs=''": "runs: must be a path",
    **{
        f"{key}={'x' * 300}": f"{key}: must be a path, got one with a name of 300 characters, xxx"
        for key in ("runs", "cache", "ledger", "resume", "data.corpus.path")
    },
}


@pytest.mark.parametrize("words", WRONG, ids=lambda words: words[:80])
@pytest.mark.slow_but_every(3)
def test_a_refusal_comes_before_anything_is_made(words, train):
    assert WRONG[words] in train(*words.split(" "))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("compare base=step1 curricula=[current,two_stage] seeds=1e15", "seeds: must be <= 10,000, got"),
        ("compare base=step1 curricula=[current,two_stage] seeds=0", "seeds: must be >= 1, got 0"),
        ("compare base=step1 curricula=[current,two_stage] ~seeds", "seeds: must not be removed (seeds=VALUE sets it)"),
        ("export run=. to=x ~run", "run: must not be removed"),
        ("export run=. to=x overwrite=5", "overwrite: must be true or false, got 5"),
        ("train ledger=5", "ledger: must be text, got 5"),
        ("train ~runs", "runs: must not be removed"),
        ("train cache=false", "cache: must be text, got False"),
    ],
)
@pytest.mark.slow_but_every(3)
def test_settings_that_no_class_declares_have_their_types_and_ceilings_too(words, said, refused):
    assert refused(*words.split(" ")).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("logger: abc", "logger: must be"),
        ("plugins: 5", "plugins: must be a list, got 5"),
        ("plugins: ${hydra:run.dir}", "plugins: "),
        ("runs: false", "runs: must be text, got False"),
    ],
)
def test_a_node_of_another_kind_in_a_file_is_named(text, said, shared, train):
    shared("experiments/mine.yaml", f"# @package _global_\n{text}\n")
    assert train("experiments=mine").startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("tasks.selection_split=nope", "tasks.selection_split: "),
        (
            f"readout=[raw,mean] readout.entries.mean.window=9 readout.texts={__file__}",
            "readout.entries: the window of mean-window9 must be <= 2",
        ),
        ("readout=[raw,whitened] readout.texts=/nowhere", "readout.texts: /nowhere: No such file"),
        ("readout=[raw,whitened]", "readout: is fitted on texts of training splits, and none of "),
        ("metrics=fast", "tasks: metrics are measured on texts of training splits, and none of "),
    ],
)
def test_what_only_the_search_needs_is_seen_before_the_training(refused, words, said):
    assert refused("run", *SMALL, "tasks.names=[StdlibHalvesPairClassification]", *words.split(" ")).startswith(said)


def test_a_search_of_a_folder_without_models_leaves_none_behind(refused):
    assert "checkpoints.path: " in refused("search", "checkpoints=folder", "checkpoints.path=.", "tasks=stdlib_quick")


@pytest.mark.parametrize(
    "words",
    ["search checkpoints.path=", "search checkpoints=folder checkpoints.path=", "report run=", "evaluate run=",
     "export to=x run=", "export run=x to=", "list runs=", "schedule from=", "schedule horizon.total=9 output=",
     "compare base=", "revisions output=", "train branch_from=", "compare runs=[a,"],
)  # fmt: skip
@pytest.mark.slow_but_every(4)
def test_a_name_that_no_file_system_takes_is_refused_with_its_setting(words, refused):
    *before, last = words.split(" ")
    name = "x" * 300
    said = refused(*before, f"{last}{name}]" if "[" in last else f"{last}{name}")
    assert said.startswith(f"{last.partition('=')[0]}: must be a path, got one with a name of 300 characters")
