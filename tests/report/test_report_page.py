"""The page: complete, self-contained, and deaf to whatever names and texts try."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from synthetic_run import TASKS, write_search_run

from tl_search.report.findings import read_findings
from tl_search.report.html import render_page

HOSTILE = '<script>alert(1)</script>"\' onerror=alert(2) x="{{ 7 * 7 }}'


class Page(HTMLParser):
    """Tags, attributes and text of a page, as a browser would take them."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.text, self.policy, self.open = [], [], "", "", []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in ("meta", "img", "source", "br", "line", "circle"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.text += data if self.open and self.open[-1] != "style" else ""


def page(folder):
    source = render_page(read_findings(folder))
    return source, Page(source)


@pytest.fixture(scope="module", params=[True, False], ids=["finished", "unfinished"])
def run(request, tmp_path_factory):
    """(folder, source, parsed, whether it is finished) of a run; a page takes a second or two to draw."""
    folder = write_search_run(tmp_path_factory.mktemp("run"), finished=request.param)
    return folder, *page(folder), request.param


def test_the_page_is_whole_and_has_every_section(run):
    _, _, parsed, finished = run
    sections = [value for tag, name, value in parsed.attributes if tag == "section" and name == "id"]
    assert sections == ["answer", "plane", "cost", "tasks", "trajectory", "measured", "caveats"]
    assert parsed.open == []
    assert [link for _, name, link in parsed.attributes if name == "href"] == [f"#{name}" for name in sections]
    assert ("The search is not finished" in parsed.text) is not finished
    for task in TASKS:
        assert task in parsed.text


def test_the_page_shows_the_numbers_of_the_run_and_how_they_were_measured(run):
    folder, _, parsed, _ = run
    findings = read_findings(folder)
    shown = parsed.text.replace("\u00a0", " ")
    outcome, last = findings.outcome, findings.trajectory[-1].recommended
    finalists = [outcome.best, outcome.final_last, outcome.final_best] if outcome else []
    for value in [last.mean, *(arm.confirmation.objective for arm in finalists)]:
        assert f"{value:.2f}" in shown
    for fact in ("from the first real token", "0000003a1", "2.26.0", "runs/train/quickstart/tensorboard"):
        assert fact in shown
    assert ("vectors: constant" in shown) is bool(outcome)


def test_the_page_needs_nothing_else_and_its_policy_forbids_the_rest(run):
    _, source, parsed, _ = run
    policy = next(value for tag, name, value in parsed.attributes if tag == "meta" and "default-src" in (value or ""))
    style = re.search(r"<style>(.*?)</style>", source, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'")
    assert "unsafe" not in policy
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(parsed.tags)
    assert not [name for _, name, _ in parsed.attributes if name == "style" or name.startswith("on")]
    loads = [value for _, name, value in parsed.attributes if name in ("src", "srcset")]
    assert len(loads) == 4  # two pictures, each for light and dark
    for value in loads:
        kind, data = value.split(",", 1)
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
    assert "http" not in re.sub(r'"data:[^"]*"', "", source).replace("http-equiv", "")


def test_pictures_have_a_text_for_those_who_do_not_see_them(run):
    folder, _, parsed, _ = run
    findings = read_findings(folder)
    texts = [value for tag, name, value in parsed.attributes if (tag, name) == ("img", "alt")]
    assert len(texts) == 2
    assert str(findings.best) in texts[0]
    assert f"{findings.trajectory[-1].recommended.mean:.2f}" in texts[1]


@pytest.mark.slow_but_one
def test_the_same_run_gives_the_same_page(run):
    folder, source, _, _ = run
    assert page(folder)[0] == source


@pytest.mark.slow_but_one
@pytest.mark.parametrize("finished", [True, False])
def test_whatever_a_run_says_stays_text(tmp_path, finished):
    tasks = {HOSTILE: HOSTILE, "evil\u202etxt\u0007\u2066": "STS"}
    write_search_run(tmp_path, finished=finished, pulls=4, tasks=tasks)
    inside = json.dumps(HOSTILE)[1:-1]
    for path in tmp_path.glob("*.json"):
        text = path.read_text()
        for plain in ("pythia-410m", "first-look", "vectors: constant", "2.26.0", "accuracy", "ucb", "budget"):
            text = text.replace(plain, f"{plain}{inside}")
        path.write_text(text)
    (tmp_path / "config.yaml").write_text(json.dumps({"checkpoints": {"path": HOSTILE}}))
    source, parsed = page(tmp_path)
    assert "<script" not in source
    assert "{{ 7 * 7 }}" in parsed.text.replace("\u00a0", " ")  # neither run as a template nor lost
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on") or name == "x"]
    assert parsed.open == []
    assert not {"\u202e", "\u0007", "\u2066"} & set(source)
    assert r"evil\u202etxt\x07\u2066" in parsed.text


def test_a_revision_of_an_impossible_name_is_refused_in_one_line(tmp_path):
    write_search_run(tmp_path, pulls=2)
    path = tmp_path / "plane.json"
    path.write_text(path.read_text().replace("step0", json.dumps(HOSTILE)[1:-1]))
    with pytest.raises(ValueError, match="is no valid name") as error:
        read_findings(tmp_path)
    assert str(error.value).startswith(f"{path}: damaged")


@pytest.mark.slow
def test_a_long_search_makes_a_page_below_one_and_a_half_megabytes(tmp_path):
    write_search_run(tmp_path, revisions=154, n_layers=36, pulls=400, posterior=False, skipped=300)
    source, parsed = page(tmp_path)
    assert len(source.encode()) < 1_500_000
    assert "Of 400 pulls" in parsed.text.replace("\u00a0", " ")
    assert "And 100 more" in parsed.text
