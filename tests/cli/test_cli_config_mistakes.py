"""Every mistake on a command line is one line with what would have worked, exit code 2, and nothing on disk."""

import pytest

from tl_search.cli.main import main

MISTAKES = [
    ("train schedule=logg", "schedule: no option 'logg'; did you mean log? (options: every, explicit, linear, log, "),
    ("train schedule=explicit", "schedule.checkpoint_schedule: must be given (schedule.checkpoint_schedule=VALUE)"),
    ("train schedule.checkpoint_schedule=[5,3]", "schedule.checkpoint_schedule[1]: must be above 5, the step before"),
    ("train schedule.first_epoch_checkpoints=-1", "schedule.first_epoch_checkpoints: must be >= 0, got -1"),
    ("train schedule.also=[cubic]", "schedule.also[0]: must be the name of a schedule (every, explicit, linear, log, "),
    ("train shedule=log", "shedule: unknown key; did you mean schedule?"),
    ("train schedule.log_bas=2", "schedule.log_bas: unknown key; did you mean log_base?"),
    ("train +schedule.bases=2", "schedule.bases: unknown key"),
    ("train +stray=2", "stray: unknown key"),
    ("train schedule.log_base=1", "schedule.log_base: must be > 1, got 1"),
    ("train schedule.log_base=two", "schedule.log_base: must be a number, got 'two'"),
    ("train schedule.log_base=inf", "schedule.log_base: must be a finite number, got inf"),
    ("train schedule.log_mode=gap", "schedule.log_mode: must be one of gaps, offset, got 'gap'; did you mean gaps?"),
    ("train schedule.min_checkpoint_interval=2.5", "schedule.min_checkpoint_interval: must be an integer, got 2.5"),
    ("train schedule.min_checkpoint_interval=null", "schedule.min_checkpoint_interval: must be an integer, got None"),
    ("train optimizer.betas=[0.9]", "optimizer.betas: must be a list of 2, got 1"),
    (
        "train curriculum.stages.whole.weights.next_token=-1",
        "weights.next_token: must be a finite",
    ),
    (
        "train curriculum.stages.whole.weights.next_token=x",
        "stages.whole.weights.next_token: must be a number",
    ),
    ("train curriculum.stages.whole=3", "curriculum.stages.whole: must be a Stage"),
    ("train trainer.max_step=5", "trainer.max_step: unknown key; did you mean max_steps?"),
    ("train +trainer.max_tim=5", "trainer.max_tim: unknown key; did you mean max_time?"),
    ("train model.width=1000000000", "model.width: must be <= 1,000,000, got 1000000000"),
    ("train trainer.max_steps=0", "trainer.max_steps: must be >= 1, got 0"),
    ("train trainer.max_steps=many", "trainer.max_steps: must be an integer, got 'many'"),
    ("train trainer.precision=fp7", "trainer.precision: must be one of 32-true, "),
    ("train trainer.accelerator=quantum", "trainer.accelerator: must be one of auto, cpu, "),
    ("train trainer.gradient_clip_val=-1", "trainer.gradient_clip_val: must be a finite number >= 0 or null, got -1"),
    ("train trainer.accumulate_grad_batches=0", "trainer.accumulate_grad_batches: must be >= 1, got 0"),
    ("train +trainer.logger=true", "trainer.logger: must be left out, since the run sets it"),
    ("train callbacks.progress=7", "callbacks.progress: must be a node with its _target_, or null, got 7"),
    ("train logger.tensorboard=yes", "logger.tensorboard: must be a node with its _target_, or null, got 'yes'"),
    ("train model=null", "model: must be one of peptide, pythia-14m, "),
    ("train model=[]", "model: must be one of peptide, pythia-14m, "),
    ("train -m model=5,6", "model: must be one of peptide, pythia-14m, "),
    ("train experiments=mine", "experiments: there is no folder "),
    ("search . launchers=slurm", "launchers: there is no folder "),
    ("search . store.max_gb=0", "store.max_gb: must be > 0, got 0; store.keep=false keeps nothing"),
    ("search . store.keep=fp16", "store.keep: must be true or false, got 'fp16'"),
    ("train data=files data.corpus.path=no.txt", "data.corpus.path: must name a text file"),
    ("train hydra.output_subdir=../up", "hydra.output_subdir: must be a plain name, got '../up'"),
    ("train hydra.job_logging.handlers.file.filename=up.log", "filename: must be in the run directory"),
    ("train hydra.job.name=x/../../up", "hydra.job.name: must be a plain name"),
    ("train hydra.searchpath=[file:///nowhere]", "hydra.searchpath: there is no folder /nowhere"),
    ("train --config-dir nowhere", "nowhere"),
    ("train --cfg jobs", "--cfg: must be followed by one of job, hydra, all, got 'jobs'"),
    ("train -m --cfg job", "-m and --cfg: must not be given together"),
    ("train --info -r", "--info and -r: must not be given together"),
    ("train --resolve", "--resolve: must be given with --cfg"),
    ("train --package model", "--package: must be given with --cfg"),
    ("train --cfg job --package modle", "--package: there is no modle in the config; did you mean model?"),
    ("train --cfg job -p hydra", "--package: there is no hydra in the config"),
    ("train --hydra-help", "--hydra-help: unknown option of tl train"),
    ("train -sc install=bash", "-sc: unknown option of tl train"),
    ("train ~name", "name: must not be removed (name=VALUE sets it)"),
    ("train ~model", "model: must be given (model=VALUE)"),
    ("train ~nothing", "~nothing: cannot be removed, since it does not exist"),
    ("search checkpoints=[1,2]", "checkpoints: must be one of folder, hub, run, got [1,2]"),
    ("search checkpoints=[run,null]", "checkpoints: must be one of folder, hub, run"),
    ("run checkpoints.path=/elsewhere", "checkpoints.path: must be left out, or be in runs=runs, where tl run trains"),
    ("help serach", "serach: no such command; did you mean search?"),
    ("train checkpoint.save_interval=0", "checkpoint.save_interval: must be >= 1, got 0"),
    ("train checkpoint.save_interval=often", "checkpoint.save_interval: must be an integer, got 'often'"),
    ("train seed=-1", "seed: must be an integer from 0 to 2**32 - 1, got -1"),
    ("train data=files", "data.corpus.path: must be given (data.corpus.path=VALUE)"),
    ("train name=${nope}", "name: Interpolation key 'nope' not found"),
    ("train cache=${oc.env:TL_TEST_UNSET}", "TL_TEST_UNSET"),
    ("train name=../up", "name: must be letters, digits"),
    ("train schedule.log_base=[", "schedule.log_base=[: cannot be read"),
    ("train schedule=log,linear", "schedule=log,linear: several values are a sweep, which needs -m"),
    ("train hydra.run.dir=elsewhere", "hydra.run.dir: must be left out, since the settings decide it"),
    ("train --fast", "--fast: unknown option of tl train"),
    ("train experiments=quickstart/rum", "experiments: there is no folder "),
    ("train trainer.max_time=5", "trainer.max_time: must be left out, since a run ends at max_steps or max_epochs"),
    ("train trainer.gradient_clip_algorithm=norm", "its class knows it: +trainer.gradient_clip_algorithm=VALUE adds"),
    ("train trainer.gradient_clip_algoritm=norm", "did you mean +trainer.gradient_clip_algorithm?"),
    ("train max_steps=5", "max_steps: unknown key; did you mean trainer.max_steps?"),
    ("train +max_steps=5", "max_steps: unknown key; did you mean trainer.max_steps?"),
    ("train trainer.lr=1", "trainer.lr: unknown key; did you mean optimizer.lr or branch.lr?"),
    ("train data=files data.path=a", "data.path: unknown key; did you mean data.corpus.path?"),
    ("train sampling=log", "sampling: is a setting of tl search, tl run and tl revisions, not of tl train"),
    ("search . trainer.max_steps=4", "trainer: is a setting of tl train, tl run and tl schedule, not of tl search"),
    (
        "run branch_from=runs/train/a@step2",
        "branch_from: is a setting of tl train, not of tl run; tl train branch_from=RUN@stepN makes the branch, and tl",
    ),
    ("search . trainer.fast_dev_run=true", "not of tl search; debug=true tries a search"),
    ("train +trainer.fast_dev_run=true", "+trainer.fast_dev_run: is in the config already, so that it is set without"),
    ("train task=STSBenchmark", "tasks: is a setting of tl search, tl run and tl costs, not of tl train"),
    ("train data=hub data.corpus.name=rows.jsonl", "data.corpus.name: there is no file rows.jsonl"),
    (
        "train trainer.accumulate_grad_batches=4 +callbacks.a={_target_:lightning.pytorch.callbacks."
        "GradientAccumulationScheduler,scheduling:{0:4}}",
        "callbacks.a: must be left out with trainer.accumulate_grad",
    ),
    (
        "search . tasks.names=StdlibTypoClassification",
        "must be a list, got 'StdlibTypoClassification'; [StdlibTypoClass",
    ),
    ("report . sampling=log", "sampling: is a setting of tl search, tl run and tl revisions, not of tl report"),
    ("train schedule@schedule.also=log", "schedule@schedule.also: is no group of options of tl train; did you mean "),
    ("train ~data.corpus.pth", "~data.corpus.pth: cannot be removed, since it does not exist"),
    ("train lancher=local", "lancher: unknown key; did you mean launchers?"),
    ("search . readout=[raw,whitned]", "readout: no option 'whitned'; did you mean whitened?"),
    ("search . readout=whitened readout.entries.whitened.rank=0", "readout.entries.whitened.rank: must be >= 1, got 0"),
    ("search . readout=whitened +readout.entries.x={form:whitened}", "readout.entries.x: must differ from entries.wh"),
    ("search . path=models", "path: unknown key; did you mean checkpoints.path?"),
    ("search . tasks=STSBenchmark", "for single tasks: tasks.names=[STSBenchmark]"),
    ("search EleutherAI/pythia-14m", "checkpoints=hub checkpoints.models=[EleutherAI/pythia-14m]"),
    ("train log", "log: tl train takes settings as key=value"),
    ("search", "checkpoints.path: must be given (checkpoints.path=VALUE)"),
    ("search nowhere", "checkpoints.path: there is no folder nowhere"),
    ("search . budget.share=2", "budget.share: must be above 0 and at most 1, got 2"),
    ("search . tasks.names=[]", "tasks.names: must be"),
    ("search . bandit=tss", "bandit: no option 'tss'; did you mean ts?"),
    ("report", "run: must be given (run=VALUE)"),
    ("report nowhere", "run: there is no folder nowhere"),
    ("report .", "run: . is not a run directory"),
    ("serach", "serach: no such command; did you mean search?"),
    ("init", "usage: tl init DIR"),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES, ids=[words for words, _ in MISTAKES])
@pytest.mark.slow_but_every(3)
def test_a_mistake_is_one_line_and_leaves_no_trace(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    "words",
    [
        "search . -m bandit=ucb,tss",
        "search . -m bandit=ucb,ts seed=0,1,-1",
        "train -m schedule=log,linear schedule.min_checkpoint_interval=0,-1",
    ],
)
def test_a_mistake_in_a_later_job_of_a_sweep_stops_the_first(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_of_no_jobs_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "-m", "schedule=glob(nothing*)"]) == 2
    assert "gives no value, so the sweep has no job" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: 1\na: 2\n", "two.yaml:2:1: found duplicate key a"),
        ("schedule:\n\tlog_base: 3\n", "two.yaml:2:1: found character '\\t'"),
        ("schedule: {log_base: \xe9}\n".encode("latin-1"), "not UTF-8"),
        ("x: !!python/object/apply:os.system ['touch owned']\n", "could not determine a constructor"),
    ],
    ids=["duplicate key", "tab", "latin-1", "python object"],
)
def test_a_broken_experiment_file_is_named_with_its_line(content, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").mkdir()
    header = b"# @package _global_\n" if isinstance(content, bytes) else "# @package _global_\n"
    text = header + content
    (tmp_path / "experiments" / "two.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["train", "experiments=two"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said.replace("two.yaml:2", "two.yaml:3") in error
    assert [path.name for path in tmp_path.iterdir()] == ["experiments"]


@pytest.mark.parametrize(
    "words",
    [
        "train optimizer._target_=os.system",
        "train optimizer._target_=torch.load",
        "train model._target_=lightning.pytorch.Trainer",
        "train model._target_=tl_search.store.atomic.sweep_litter",
        "train model._target_=tl_search.cli.main.os.system",
        "train optimizer._target_=${oc.env:PWD}",
        "train hydra.launcher._target_=os.system",
        "train +hydra.callbacks.x._target_=os.system",
        "train hydra.job_logging.handlers.file.class=os.system",
        "train hydra.job_logging.handlers.console.stream=ext://os.environ",
    ],
)
@pytest.mark.slow_but_every(4)
def test_a_class_outside_the_allow_list_is_neither_imported_nor_run(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert "allowed" in error or "not a class that a config may name" in error or "there is no" in error
    assert list(tmp_path.iterdir()) == []


def test_a_module_of_the_working_directory_is_not_imported_for_a_target(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine.py").write_text("open('ran', 'w')")
    assert main(["train", "+callbacks.x={_target_: mine.Thing}"]) == 2
    assert "callbacks.x._target_: mine.Thing is not allowed here" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()
