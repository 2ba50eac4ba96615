"""The house stays in order: small modules, imports downwards, quick starts, links that lead somewhere."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "tl_search").rglob("*.py"))
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not {".venv", "runs", "build", "dist", ".git"} & set(page.relative_to(ROOT).parts)
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_is_longer_than_320_lines(path):
    assert len(path.read_text().splitlines()) <= 320


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_says_what_it_is(path):
    assert path.read_text().lstrip().startswith('"""')


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", link):
            assert (page.parent / link.partition("#")[0]).exists(), link


HEAVY = ("torch", "lightning", "transformers", "mteb", "datasets", "sklearn", "scipy", "matplotlib")


@pytest.mark.parametrize(
    "module", ["tl_search", "tl_search.cli.main", "tl_search.cli.commands.search", "tl_search.cli.commands.train"]
)
def test_starting_pulls_in_no_heavy_library(module):
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "[]\n"


def quickest(*words):
    """Of three starts, in seconds: a busy machine makes any one of them slow."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.slow
def test_import_is_quick_and_help_answers_at_once():
    bare = quickest("-c", "pass")
    assert quickest("-c", "import tl_search") - bare < 0.3
    assert quickest("-m", "tl_search", "--help") - bare < 1


def test_rooms_import_downwards_only():
    tool = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
