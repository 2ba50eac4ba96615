"""YAML that somebody else wrote, also an experiment: aliases, depth and size have ceilings, and it makes no objects."""

import time
from pathlib import Path

import pytest
from security.conftest import SEARCH

from tl_search.cli.main import main
from tl_search.runs.settings import read_settings
from tl_search.store.outside import YAML_LIMIT, read_yaml

ALIASES = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
YAML = {
    "an alias bomb": (ALIASES, "more than 50,000 values, counting what its aliases repeat"),
    "aliases in itself": ("a: &a [1, *a]\n", r"the alias \*a repeats what it is in"),
    "brackets": ("a: " + "[" * 20_000, "cannot be read as YAML"),
    "deep": ("a: " + "[" * 100 + "]" * 100, "nests more than 64 deep"),
    "large": ("a: " + "x" * YAML_LIMIT, "and may have 1,048,576"),
    "many values": ("a: [" + "1," * 60_000 + "]", "more than 50,000 values"),
    "base 60": ("a: 1" + ":0" * 200_000, "a number of 400,001 digits"),
    "digits": ("a: " + "9" * 5000, "a number of 5,000 digits"),
    "twice": ("a: 1\na: 2\n", "the key 'a' stands there twice"),
    "an object": ("a: !!python/object/apply:os.getcwd []\n", "could not determine a constructor"),
    "latin-1": (b"a: \xe9\xff\n", "cannot be read as YAML"),
    "no date": ("a: 2001-99-99\n", "month must be in 1..12"),
}


@pytest.mark.parametrize("kind", YAML)
@pytest.mark.slow_but_every(3)
def test_yaml_that_no_program_of_ours_wrote_is_one_line(study, capsys, kind):
    content, said = YAML[kind]
    data = content if isinstance(content, bytes) else content.encode()
    path = Path(SEARCH, "config.yaml")
    path.write_bytes(data)
    began = time.monotonic()
    with pytest.raises(ValueError, match=said) as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"config\.yaml: damaged"):
        read_settings(Path(SEARCH))
    schedule = study / "mine.yaml"
    schedule.write_bytes(data)
    assert main(["schedule", f"from={schedule}", "horizon.total=9"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert time.monotonic() - began < 20


def test_aliases_that_a_person_writes_are_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: &base {lr: 0.1}\nother:\n  <<: *base\n  steps: &s [1, 2]\nsame: *s\n")
    assert read_yaml(path)["other"] == {"lr": 0.1, "steps": [1, 2]}


@pytest.mark.parametrize("kind", ["an alias bomb", "aliases in itself", "deep", "base 60"])
@pytest.mark.parametrize("place", ["experiments", "elsewhere"])
def test_an_experiment_is_read_no_other_way(study, capsys, kind, place):
    folder = study / "experiments" if place == "experiments" else study / "elsewhere" / "experiments"
    folder.mkdir(parents=True)
    content = YAML[kind][0]
    assert isinstance(content, str)
    (folder / "mine.yaml").write_text(f"# @package _global_\n{content}")
    words = [] if place == "experiments" else [f"hydra.searchpath=[file://{study / 'elsewhere'}]"]
    before = sorted(study.rglob("*"))
    code = main(["train", "experiments=mine", *words])
    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (2, 1), said
    assert "mine.yaml: cannot be read as YAML" in said
    assert sorted(study.rglob("*")) == before
