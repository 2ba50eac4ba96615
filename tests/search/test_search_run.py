"""A whole search over a tiny family of models: its answer, its costs, and every way to be interrupted."""

import json
import multiprocessing
import re
import shutil

import numpy as np
import pytest
from probe.tiny_models import make

from tl_search.bandits.exhaustive import Exhaustive
from tl_search.bandits.random import Random
from tl_search.bandits.ts import TS
from tl_search.bandits.ucb import UCB
from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.scoring.ledger import Ledger
from tl_search.scoring.suites import Suite
from tl_search.search.budget import Budget
from tl_search.search.run import run_search, survey
from tl_search.store.atomic import read_json

ARMS = 12  # 4 revisions × 3 layers


def answer(folder):
    result = read_json(folder / "result.json")
    del result["seconds"]  # the clock's, not the search's
    result.pop("healed", None)  # the disk's
    return result


def told(folder):
    return (folder / "pulls.jsonl").read_bytes(), (folder / "bandit_state.json").read_bytes(), answer(folder)


@pytest.fixture
def copied(finished, tmp_path):
    """A finished search to go on from, with its ledger and its embeddings, where `plan` has them."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def test_names_a_measured_arm_and_compares_it_on_held_out_data(finished):
    result = answer(finished / "run")
    for finalist in ("best", "final_last", "final_best"):
        selection, confirmed = result[finalist]["selection"], result[finalist]["confirmation"]
        assert selection["objective"] == pytest.approx(np.mean(list(selection["tasks"].values())))
        assert confirmed["objective"] == pytest.approx(np.mean(list(confirmed["tasks"].values())), abs=1e-3)
        assert selection["tasks"].keys() == confirmed["tasks"].keys()
        assert selection["tasks"] != confirmed["tasks"]
    assert result["final_last"]["arm"] == ["step64", 2]
    gain = result["best"]["confirmation"]["objective"] - result["final_last"]["confirmation"]["objective"]
    assert result["gains"]["final_last"]["gain"] == pytest.approx(gain, abs=1e-3)
    assert result["skipped"] == result["left_out"] == []
    assert result["texts_cut"]["texts"] > result["texts_cut"]["cut"] == 0
    exported = {path.parent.name for path in (finished / "run/scores").rglob("*.json")}
    assert exported == {"selection", "confirmation"}


@pytest.mark.slow
def test_embeds_every_text_of_a_column_once_and_scores_every_cell_once(plan, tmp_path, count, caplog):
    with caplog.at_level("INFO", "tl_search.search.loop"):
        run_search(plan(), tmp_path / "run")
    lines = [line for line in caplog.messages if line.startswith("pull ")]
    # beside the leader's objective stands another objective, or a score that is named; never a mean over other tasks
    assert lines
    assert all(re.search(r" tasks?, (objective [\d.]+|Tiny\w+ [\d.]+) · leader step", line) for line in lines)
    leaders = [
        step["recommended"] for step in json.loads((tmp_path / "run/bandit_state.json").read_text())["trajectory"]
    ]
    for line, leader in zip(lines, leaders, strict=True):
        spread = f" ± {leader['sd']:.1f}" if leader["sd"] else ""
        assert f" {leader['mean']:.1f}{spread} · " in line  # one standard deviation, as everywhere
    assert set(count.values()) == {1}
    assert {key[0] for key in count} == {"pass", "cell"}
    before = count.copy()
    run_search(plan(), tmp_path / "again")  # another run, the same ledger
    assert count == before
    assert told(tmp_path / "again") == told(tmp_path / "run")


def test_the_share_is_what_was_priced_over_what_everything_costs(plan, copied, tmp_path):
    run_search(plan(bandit=Exhaustive(), budget=Budget(share=0.01)), tmp_path / "all")
    result = answer(tmp_path / "all")
    assert (result["stopped"], result["pulls"], result["cost"]["share"]) == ("done", ARMS, 1.0)
    assert result["cost"]["search"] == result["cost"]["exhaustive"]
    steps = read_json(copied / "bandit_state.json")["trajectory"]
    spent = sum(sum(step["cost"].values()) for step in steps)
    assert steps[-1]["spent"] == pytest.approx(spent)
    assert [step["arm"] for step in steps[:3]] == [["step64", 0], ["step64", 1], ["step64", 2]]
    share = spent / result["cost"]["exhaustive"]["total"]
    assert answer(copied)["cost"]["share"] == pytest.approx(share, abs=1e-3)


@pytest.mark.slow_but_one
@pytest.mark.parametrize("seed", range(2))
def test_a_budget_of_everything_scores_everything_in_any_order(plan, copied, tmp_path, seed):
    shutil.rmtree(copied)
    run_search(plan(bandit=Random(), budget=Budget(share=1.0), seed=seed), tmp_path / "run")
    assert (answer(tmp_path / "run")["stopped"], answer(tmp_path / "run")["arms_scored"]) == ("done", ARMS)


@pytest.mark.slow
def test_a_limit_of_pulls_counts_what_the_policy_decides(plan, tmp_path):
    run_search(plan(bandit=Random(), budget=Budget(share=None, pulls=2)), tmp_path / "run")
    assert (answer(tmp_path / "run")["stopped"], answer(tmp_path / "run")["pulls"]) == ("budget", 3 + 2)


@pytest.mark.slow
def test_a_budget_below_the_final_column_still_gives_an_answer_and_says_what_it_cost(plan, tmp_path):
    assert run_search(plan(budget=Budget(share=0.001)), tmp_path / "run") == 0
    result = answer(tmp_path / "run")
    assert result["stopped"] == "budget"
    assert result["cost"]["share"] > 0.2
    assert set(result["best"]["selection"]["tasks"]) == {"TinyPairs", "TinySTS"}


@pytest.mark.slow_but_one
@pytest.mark.parametrize("bandit", [UCB(), TS(), Random(), Exhaustive()], ids=lambda bandit: type(bandit).__name__)
def test_the_smallest_plane_two_checkpoints_one_block_one_task(plan, tmp_path, bandit):
    for number, name in enumerate(("step0", "step8")):
        make(tmp_path / "models" / name, seed=number, num_hidden_layers=1)
    source = FolderCheckpoints(str(tmp_path / "models"))
    small = plan(checkpoints=source, tasks=Suite(("TinySTS",)), bandit=bandit, budget=Budget(share=1.0))
    assert run_search(small, tmp_path / "run") == 0
    result = answer(tmp_path / "run")
    assert [verdict["task"] for verdict in result["tasks"]] == ["TinySTS"]
    assert result["tasks"][0]["controls"] == 3  # layer 0 of step8, both layers of step0
    assert result["tasks"][0]["trained"]["arm"] == ["step8", 1]


def test_one_checkpoint_is_no_plane(plan, tmp_path):
    make(tmp_path / "models/step0", num_hidden_layers=1)
    with pytest.raises(ValueError, match=r"models has 1 revision\(s\); a search needs two \(metrics\.only=true"):
        survey(plan(checkpoints=FolderCheckpoints(str(tmp_path / "models"))))


# Interrupted


class Killed(BaseException):
    pass


@pytest.mark.slow_but_one
@pytest.mark.parametrize("at", [5, 16])
def test_goes_on_after_a_kill_at_any_moment_with_the_same_decisions(plan, finished, tmp_path, monkeypatch, count, at):
    real, calls = Ledger.put, iter(range(1, 1000))

    def put(ledger, given):
        if next(calls) == at:
            raise Killed
        return real(ledger, given)

    monkeypatch.setattr(Ledger, "put", put)
    with pytest.raises(Killed):
        run_search(plan(), tmp_path / "run")
    monkeypatch.setattr(Ledger, "put", real)
    with (tmp_path / "run/pulls.jsonl").open("ab") as file:
        file.write(b'{"t":99,"arm":["st')  # torn
    run_search(plan(), tmp_path / "run")
    assert told(tmp_path / "run") == told(finished / "run")
    assert sorted(count.values())[:-1] == [1] * (len(count) - 1)  # but for the cell that the kill took
    assert max(count.values()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["ledger", "both", "damaged embeddings", "damaged scores"])
def test_what_is_lost_or_damaged_between_two_runs_is_made_again_and_the_answer_stays(plan, copied, tmp_path, lost):
    before = told(copied)
    for name in ("DONE.json", "result.json"):
        (tmp_path / "run" / name).unlink()
    if lost != "damaged scores":
        shutil.rmtree(tmp_path / "ledger")
    if lost == "both":
        shutil.rmtree(tmp_path / "embeddings")
    if lost == "damaged embeddings":
        for path in (tmp_path / "embeddings").rglob("*.safetensors"):
            data = bytearray(path.read_bytes())
            data[-5] ^= 1
            path.write_bytes(data)
    if lost == "damaged scores":
        for path in (tmp_path / "ledger").glob("??/*.json"):
            path.write_text(path.read_text().replace('"value": 0.', '"value": 0.9'))
    run_search(plan(), tmp_path / "run")
    assert told(tmp_path / "run") == before
    healed = read_json(tmp_path / "run/result.json").get("healed", {})
    assert list(healed) == {"damaged embeddings": ["columns"], "damaged scores": ["scores"]}.get(lost, [])


def test_a_finished_search_is_left_alone(plan, copied, tmp_path, count):
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert run_search(plan(budget=Budget(share=1.0)), tmp_path / "run") == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not count


def test_a_log_that_goes_on_after_the_search_ends_is_refused(plan, copied, tmp_path):
    (tmp_path / "run/DONE.json").unlink()
    with (tmp_path / "run/pulls.jsonl").open("a") as file:
        file.write(json.dumps({"t": 99, "arm": ["step4", 1], "tasks": ["TinySTS"]}) + "\n")
    with pytest.raises(ValueError, match="pulls step4/layer 1 on TinySTS, but the search now would end"):
        run_search(plan(), tmp_path / "run")


def test_goes_on_only_with_the_checkpoints_that_it_began_with(plan, copied, models, tmp_path):
    more = shutil.copytree(models, tmp_path / models.name)
    (copied / "DONE.json").unlink()
    make(more / "step128", seed=9, num_hidden_layers=2)
    with pytest.raises(ValueError, match="its revisions, exhaustive changed since this search was started"):
        run_search(plan(checkpoints=FolderCheckpoints(str(more))), copied)


@pytest.mark.slow
def test_two_searches_at_once_share_one_ledger(plan, finished, tmp_path):
    fork = multiprocessing.get_context("fork")
    runs = [tmp_path / "one", tmp_path / "two"]
    workers = [fork.Process(target=run_search, args=(plan(), run)) for run in runs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert told(runs[0]) == told(runs[1]) == told(finished / "run")
    assert not (tmp_path / "ledger/quarantine").exists()
