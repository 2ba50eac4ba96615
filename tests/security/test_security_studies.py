"""A shared experiment or launcher file lets nothing run but what the lists allow, however it names what it wants."""

import pickle

import pytest
from omegaconf import OmegaConf

from tl_search.cli.config.compose import compose_job, configs
from tl_search.cli.main import main
from tl_search.errors.kinds import BadInput

OPEN = "{_target_: builtins.open, file: 'MARKER', mode: w}"
LOG = "{'()': builtins.open, file: 'MARKER', mode: w}"
SLURM = "defaults: [override /hydra/launcher: submitit_slurm]\nhydra: {mode: MULTIRUN, launcher: "
SLURM_CLASS = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"


def made(node):
    """A node that a resolver makes of a text."""
    return "'${oc.create:" + node.replace("'", '"') + "}'"


CALLBACKS = {
    "named": f"{{x: {OPEN}}}",
    "made by a resolver": f"{{x: {made(OPEN)}}}",
    "another node": "{x: '${hydra.job_logging.formatters}'}",
    "all at once": "'${hydra.job_logging.formatters}'",
    "its class in pieces": "{x: {_target_: '${hydra.help.header}', file: MARKER, mode: w}}",
    "an import of an allowed module": "{x: {_target_: hydra._internal.core_plugins.basic_launcher.Path.touch}}",
    "only of the sweep": f"{{x: {OPEN}}}, mode: MULTIRUN, sweeper: {{params: {{~hydra.callbacks: ''}}}}",
}
LOGS = {
    "a handler": (f"{{handlers: {{file: {LOG}}}}}", "handlers.file.(): is not allowed"),
    "a handler elsewhere": (
        f"{{loggers: {LOG}, handlers: {{file: '${{hydra.job_logging.loggers}}'}}}}",
        "is not allowed",
    ),
    "a made handler": ("{handlers: {file: '${oc.create:{class: MARKER}}'}}", "${oc.create:…} is not allowed"),
    "a class in pieces": ("{handlers: {file: {class: '${hydra.help.app_name}'}}}", "train is not allowed here"),
    "a stream in pieces": (
        "{handlers: {console: {stream: 'ext://os.${hydra.job.name}'}}}",
        "ext://os.train is not allowed",
    ),
    "a formatter": (f"{{formatters: {{full: {LOG}}}}}", "is not allowed here"),
    "a filter": (f"{{filters: {{x: {LOG}}}}}", "filters: is not allowed here"),
    "an object in a text": ("{handlers: {file: {level: 'ext://os.environ'}}}", "level: must not name an object"),
    "attributes of what is logged": ("{formatters: {full: {style: '{', format: '{args[0].__class__}'}}}", "style: {"),
    "an attribute of a handler": ("{handlers: {file: {.: {baseFilename: MARKER}}}}", "is not allowed here"),
    "a file elsewhere": ("{handlers: {file: {filename: '/tmp/${hydra.job.name}'}}}", "must be in the run directory"),
    "a node in itself": (
        "{loggers: {x: {level: '${hydra.job_logging.handlers}'}}, handlers: {x: {level: "
        "'${hydra.job_logging.loggers}'}}}",
        "is nested more than 20 deep",
    ),
}
HYDRA = {
    "the sweep's log": (f"{{mode: MULTIRUN, hydra_logging: {{handlers: {{console: {LOG}}}}}}}", "is not allowed here"),
    "a launcher": ("{mode: MULTIRUN, launcher: {_target_: builtins.open}}", "builtins.open is not allowed here"),
    "a sweeper": ("{mode: MULTIRUN, sweeper: {_target_: builtins.open}}", "builtins.open is not allowed here"),
    "a sweep that brings a handler": (
        "{mode: MULTIRUN, sweeper: {params: {+hydra.job_logging.handlers.x: '{class: builtins.open}'}}}",
        "builtins.open is not allowed here",
    ),
    "an environment that allows a package": ("{job: {env_set: {TL_PLUGINS: evil}}}", "hydra.job.env_set.TL_PLUGINS: "),
    "an environment that imports": ("{job: {env_set: {PYTHONPATH: .}}}", "hydra.job.env_set.PYTHONPATH: must be"),
    "a copied variable": ("{job: {env_copy: [PATH]}}", "hydra.job.env_copy: must be left out"),
    "a copied variable that is not set": ("{job: {env_copy: [TL_TEST_UNSET]}}", "hydra.job.env_copy: must be left out"),
    "a command line in a file": ("{overrides: {task: ['plugins=[evil]']}}", "hydra.overrides: must be left out"),
    "a plug-in in a sweep": ("{mode: MULTIRUN, sweeper: {params: {plugins: '[evil]'}}}", "plugins: must be given"),
    "what Hydra sets later": ("{job: {num: 3}}", "hydra.job.num: must be left out"),
    "a place that Hydra sets later": ("{runtime: {output_dir: /tmp}}", "hydra.runtime.output_dir: must be left out"),
    "options by a path": ("{runtime: {choices: {more: ../evil}}}", "more: must be the name of an option"),
    "a search path in a file": ("{searchpath: ['pkg://evil']}", "only supported from the primary config"),
    "a search path in a sweep": (
        "{mode: MULTIRUN, sweeper: {params: {++hydra.searchpath: \"['pkg://evil']\"}}}", "would import evil",
    ),
}  # fmt: skip
LAUNCHERS = {
    "an object": (SLURM + f"{{additional_parameters: {{x: {OPEN}}}}}}}", "additional_parameters.x: is not allowed"),
    "a node": (SLURM + "{additional_parameters: {comment: '${hydra.job_logging}'}}}", "comment: is not allowed here"),
    "shell lines": (SLURM + "{setup: ['touch MARKER']}}", "setup: a file may only load modules"),
    "more than a module": (SLURM + "{setup: ['module load x; touch MARKER']}}", "a file may only load modules"),
    "a second line": (SLURM + '{partition: "x\\ntouch MARKER"}}', "partition: must be one line"),
    "a second line of a key": (SLURM + '{additional_parameters: {"x\\ntouch": 1}}}', "must be one line"),
    "pickles elsewhere": (SLURM + "{submitit_folder: /tmp/%j}}", "submitit_folder: must be in runs/train"),
    "no schema": (
        "defaults: [override /hydra/launcher: null]\n"
        f"hydra: {{mode: MULTIRUN, launcher: {{_target_: {SLURM_CLASS}, srun_args: ['--x']}}}}",
        "srun_args: unknown key",
    ),
    "a list of arguments": (
        "defaults: [override /hydra/launcher: null]\n"
        f"hydra: {{mode: MULTIRUN, launcher: {{_target_: {SLURM_CLASS}, _args_: [x]}}}}",
        "_args_: unknown key",
    ),
}  # fmt: skip
PARTS = {
    "an optimizer": ("optimizer: {_target_: builtins.open}", "optimizer._target_: builtins.open is not allowed"),
    "a made optimizer": ("optimizer: '${oc.create:{_target_: builtins.open}}'", "${oc.create:…} is not allowed"),
    "what a module imports": (
        "logger: {x: {_target_: lightning.pytorch.loggers.csv_logs.os.system}}", "there is no module",
    ),
    "a class that a module imports": ("optimizer: {_target_: torch.optim.adam.Tensor}", "must be a Optimizer"),
    "a function": ("optimizer: {_target_: torch.optim.adam.adam}", "there is no class adam"),
    "another kind of class": (
        "callbacks: {x: {_target_: lightning.pytorch.callbacks.progress.tqdm_progress.Tqdm}}", "must be a Callback",
    ),
    "an option by a path": ("defaults: [override /optimizer: ../../evil]", "must be the name of a config file"),
    "an option made by a resolver": ("defaults: [override /optimizer: '${oc.env:PATH}']", "may not read"),
    "a file made by a resolver": ("defaults: ['${oc.decode:PATH}']", "${oc.decode:…} is not allowed"),
    "a file by a path": ("defaults: [../../evil]", "must be the name of a config file"),
    "a file by a path from the top": ("defaults: [/../../evil]", "must be the name of a config file"),
    "a file by a whole path": ("defaults: [//etc/evil]", "must be the name of a config file"),
    "any variable": ("name: ${oc.env:PATH}", "may not read the environment variable PATH"),
    "a variable in pieces": ("name: ${oc.env:${runs}}", "may not read the environment variable ${runs}"),
    "a decoder": ("name: ${oc.decode:x}", "${oc.decode:…} is not allowed"),
    "a resolver in pieces": ("name: ${${runs}:PATH}", "${${runs}:…} is not allowed"),
    "a decoder inside a name": ("name: ${hydra.help.${oc.decode:header}}", "${oc.decode:…} is not allowed"),
}  # fmt: skip
STUDIES = {
    **{f"callback: {name}": (f"hydra: {{callbacks: {node}}}", "hydra.callbacks") for name, node in CALLBACKS.items()},
    **{f"log: {name}": (f"hydra: {{job_logging: {node}}}", said) for name, (node, said) in LOGS.items()},
    **{f"hydra: {name}": (f"hydra: {node}", said) for name, (node, said) in HYDRA.items()},
    **{f"launcher: {name}": found for name, found in LAUNCHERS.items()},
    **PARTS,
}


@pytest.mark.parametrize(("text", "said"), STUDIES.values(), ids=STUDIES)
@pytest.mark.slow_but_every(3)
def test_a_shared_study_lets_nothing_run(text, said, shared, train):
    shared("../evil.yaml", "seed: 3\n")
    shared("evil.py", "open('MARKER', 'w')\n")
    shared("experiments/mine.yaml", f"# @package _global_\n{text}\n")
    assert said in train("experiments=mine")


def test_a_launcher_file_is_no_safer_place(shared, train):
    shared("launchers/mine.yaml", f"# @package _global_\n{LAUNCHERS['shell lines'][0]}\n")
    assert "a file may only load modules" in train("launchers=mine")


@pytest.mark.parametrize("flag", ["--cfg=job", "--cfg=hydra"])
def test_a_shared_study_cannot_even_be_looked_at(flag, shared, train):
    shared("experiments/mine.yaml", f"# @package _global_\nname: {made(OPEN)}\n")
    assert "${oc.create:…} is not allowed" in train("experiments=mine", flag)


@pytest.mark.slow_but_one
@pytest.mark.parametrize("place", ["pkg://evil", "pkg://evil.conf", "structured://evil", "https://evil"])
@pytest.mark.parametrize("word", ["hydra.searchpath=[{}]", '+hydra.searchpath=["{}"]'])
def test_only_folders_are_searched_for_configs(place, word, shared, here, train, monkeypatch):
    shared("evil.py", "open('MARKER', 'w')\n")
    monkeypatch.syspath_prepend(here)
    assert "hydra.searchpath: " in train(word.format(place))


def test_the_loader_of_a_launchers_process_checks_as_well(shared, here):
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    with configs():
        sent = pickle.loads(pickle.dumps(GlobalHydra.instance().config_loader()))
    with pytest.raises(BadInput, match=r"hydra\.callbacks"):
        sent.load_configuration("train", [f"+hydra.callbacks.x={OPEN}"], RunMode.RUN)


def test_a_file_that_changes_after_the_check_is_checked_again(shared, here, marker, monkeypatch, capsys):
    from tl_search.cli import launch

    shared("experiments/mine.yaml", "# @package _global_\nseed: 3\n")
    real = launch.launch

    def later(line, jobs):
        shared("experiments/mine.yaml", f"# @package _global_\nhydra: {{callbacks: {{x: {OPEN}}}}}\n")
        return real(line, jobs)

    monkeypatch.setattr(launch, "launch", later)
    assert main(["train", "experiments=mine"]) == 2
    assert "hydra.callbacks" in capsys.readouterr().err
    assert not marker.exists()
    assert [path.name for path in here.iterdir()] == ["experiments"]


def test_what_a_person_needs_still_works(shared, here, monkeypatch):
    scratch = here / "space"
    monkeypatch.setenv("SCRATCH", str(scratch))
    monkeypatch.setenv("TL_PARTITION", "long")
    shared(
        "launchers/mine.yaml",
        "# @package _global_\ndefaults: [override /hydra/launcher: submitit_slurm]\nruns: ${oc.env:SCRATCH}/runs\n"
        "hydra:\n  mode: MULTIRUN\n  job: {env_set: {OMP_NUM_THREADS: '2'}}\n  job_logging: {root: {level: DEBUG}}\n"
        "  launcher: {partition: '${oc.env:TL_PARTITION}', gpus_per_node: '${trainer.devices}', timeout_min: 60,\n"
        "    setup: [module load cuda/12.4], additional_parameters: {mail-type: FAIL}}\n",
    )
    with configs():
        config = compose_job("train", [f"hydra.searchpath=['file://{here}']", "launchers=mine", "trainer.devices=2"])
        launcher = OmegaConf.to_container(config.hydra.launcher, resolve=False)
        assert (launcher["partition"], launcher["gpus_per_node"], launcher["setup"]) == (
            "long",
            2,
            ["module load cuda/12.4"],
        )
        assert launcher["submitit_folder"] == f"{scratch}/runs/train/.submitit/%j"
        own = compose_job("train", ["hydra/launcher=submitit_slurm", 'hydra.launcher.setup=["source ~/env.sh"]'])
        assert own.hydra.launcher.setup == ["source ~/env.sh"]
