"""A run that somebody shared says what its settings were, and nothing in it chooses files, code or secrets here."""

import pytest

from tl_search.runs.record import RunRecord

CHOICES = {
    "a path up": ("{logger: ../../evil}", "choices.logger: must be the name of an option, got '../../evil'"),
    "a whole path": ("{logger: /tmp/evil}", "choices.logger: must be the name of an option"),
    "a folder": ("{logger: evil/evil}", "choices.logger: must be the name of an option"),
    "more than one word": ("{logger: 'none,tensorboard'}", "choices.logger: must be the name of an option"),
    "a node": ("{logger: {_target_: evil.Evil}}", "choices.logger: must be the name of an option"),
    "a group of Hydra's": ("{hydra/job_logging: stdout}", "'hydra/job_logging' is no group of a training's options"),
    "a place in Hydra": ("{logger@hydra.callbacks: none}", "'logger@hydra.callbacks' is no group"),
    "a group by a path": ("{../../evil: evil}", "'../../evil' is no group"),
    "an experiment": ("{experiments: evil}", "'experiments' is no group"),
    "a setting": ("{'hydra.searchpath=[pkg://evil] logger': none}", "is no group"),
    "no groups": ("[logger]", "choices: must be a mapping"),
}
SETTINGS = {
    "an environment variable": ("name: ${oc.env:HF_TOKEN}", "name: must be what a setting was, got '${oc.env:HF_"),
    "a node": ("callbacks: {x: '${oc.create:{_target_: builtins.open}}'}", "callbacks.x: must be what a setting was"),
    "a class": ("callbacks: {x: {_target_: builtins.open, file: MARKER}}", "builtins.open is not allowed here"),
    "a package": (
        "plugins: [evil]\nmodel: {_target_: evil.Evil}\nchoices: {model: evil}", "evil.Evil is not allowed here",
    ),
    "an object": ("name: !!python/object/apply:os.system ['touch MARKER']", "ConstructorError"),
}  # fmt: skip


@pytest.fixture
def shared_run(shared, here):
    """Write the config.yaml of a run that somebody shared, and its run.json."""

    def write(text):
        shared("evil.py", "open('MARKER', 'w')\n")
        shared("../evil.yaml", "_target_: evil.Evil\n")
        path = shared("shared/config.yaml", text)
        (path.parent / "revisions").mkdir()
        (path.parent / "revisions" / "main").mkdir()
        RunRecord("train", "shared", "0" * 8, plan={"seed": 0, "trainer": {}}, plugins=("evil",)).write(path.parent)

    return write


@pytest.mark.parametrize(("choices", "said"), CHOICES.values(), ids=CHOICES)
def test_the_options_of_a_shared_run_are_names_of_known_groups(choices, said, shared_run, refused):
    shared_run(f"seed: 3\ntrainer: {{}}\nchoices: {choices}\n")
    told = refused("train", "resume=shared")
    assert told.startswith("shared/config.yaml: choices")
    assert said in told


@pytest.mark.parametrize("command", ["train resume=shared", "evaluate shared"])
@pytest.mark.parametrize(("text", "said"), SETTINGS.values(), ids=SETTINGS)
def test_the_settings_of_a_shared_run_are_plain_values(text, said, command, shared_run, refused, here, monkeypatch):
    monkeypatch.syspath_prepend(here)
    monkeypatch.setenv("HF_TOKEN", "canary")
    shared_run(f"{text}\nseed: 0\ntrainer: {{}}\n")
    assert said in refused(*command.split())
