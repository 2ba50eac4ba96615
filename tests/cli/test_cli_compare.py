"""`tl compare`: arms from one state, with the same seeds; what their paired differences show, and what they do not."""

from pathlib import Path

import pytest

from tl_search.cli.main import main
from tl_search.store.atomic import read_json

# The optimizer divides gradients by their size, but these are so small that it does not move at all.
STILL = """
_target_: tl_search.plane.curriculum.Curriculum
name: still
stages: {whole: {weights: {next_token: 1.0e-13}}}
"""


def told(capsys, *words):
    capsys.readouterr()
    code = main(["compare", *words])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.slow
def test_identical_curricula_show_no_difference_and_a_planted_one_is_found(run, capsys):
    place = Path("conf/curriculum")
    place.mkdir(parents=True)
    (place / "still.yaml").write_text(STILL)
    (place / "same.yaml").write_text(Path(__file__).parents[2].joinpath("conf/curriculum/constant.yaml").read_text())
    words = [
        f"base={run}@step2",
        "curricula=[current,same,still]",
        "seeds=3",
        *("trainer.max_steps=12", "optimizer.lr=0.01", "branch.lr=restart", "eval_interval=5"),
        f"hydra.searchpath=[file://{Path('conf').resolve()}]",
        "output=found",
    ]
    code, out, err = told(capsys, *words)
    assert code == 0, err
    same, still = (next(arm for arm in read_json(Path("found/comparison.json"))["arms"] if arm["name"] == name)
                   for name in ("same", "still"))  # fmt: skip
    assert [gap["mean"] for gap in same["against_first"]] == [0, 0]
    assert "eval loss at step 12: no difference shown between same and current (+0.0000;" in out
    assert still["against_first"][0]["shown"]
    assert still["against_first"][0]["mean"] > 0.1
    assert "eval loss at step 12: higher with still than with current, by " in out
    assert Path("found/curves.png").read_bytes().startswith(b"\x89PNG")
    folders = {entry["folder"] for arm in (same, still) for entry in arm["runs"].values()}
    assert len(folders) == 6
    assert len({read_json(Path(folder, "run.json"))["parent"]["sha256"] for folder in folders}) == 1
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.safetensors")}
    again = told(capsys, f"runs=[{','.join(sorted(folders))}]", "output=again")
    assert again[0] == 0
    assert "higher with still than with constant, by " in again[1] or "lower with constant than with still" in again[1]
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.safetensors")} == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "base: must be given, or runs=[RUN,RUN,...] in its place"),
        (["base={run}@step2", "curricula=[constant]"], "curricula: must be two different ones or more, got [constant]"),
        (["base={run}@step2", "curricula=[constant,constant]"], "curricula: must be two different ones"),
        (["base={run}@step3", "curricula=[constant,two_stage]"], "has no training state step3; states: step4, step2"),
        (
            ["base={run}@step2", "curricula=[constant,two_stag]"],
            "curriculum: no option 'two_stag'; did you mean two_stage?",
        ),
        (["base={run}@step2", "curricula=[constant,two_stage]", "seeds=0"], "seeds: must be a number >= 1 or a list"),
        (
            ["base={run}@step2", "curricula=[constant,two_stage]", "seeds=[1,1]"],
            "seeds: must be a number >= 1 or a list",
        ),
        (["base={run}@step2", "curricula=[constant,two_stage]", "seed=3"], "settings: must be without branch_from, "),
        (["runs=[{run}]"], "runs: must be branches of one state (branch_from=RUN@stepN), got "),
        (["runs=[{run}]", "curricula=[constant,two_stage]"], "runs: must be given without curricula"),
        (["runs=[runs/train/nowhere]"], "runs: there is no folder runs/train/nowhere"),
    ],
)
def test_bad_input_is_one_line(run, words, said, capsys):
    before = sorted(path for path in Path().rglob("*"))
    code, _, err = told(capsys, *(word.format(run=run) for word in words))
    assert code == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    assert said in err
    assert sorted(path for path in Path().rglob("*")) == before
