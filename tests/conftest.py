"""Set before anything heavy is imported: no network, one thread per process, no noise. And what several rooms share."""

import io
import logging
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import only_loopback
import pytest
from hypothesis import settings

# The slow suite looks at four times as many examples. A machine that is busy must not fail a property by its deadline.
settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.load_profile(os.environ.get("TL_EXAMPLES", "quick"))

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test's sets of parameters, `slow_but_one` leaves the first quick, and `slow_but_every(n)` each n-th."""
    seen: Counter[str] = Counter()
    for item in items:
        one, every = item.get_closest_marker("slow_but_one"), item.get_closest_marker("slow_but_every")
        if one or every:
            name = item.nodeid.partition("[")[0]
            if seen[name] and (every is None or seen[name] % every.args[0]):
                item.add_marker(pytest.mark.slow)
            seen[name] += 1


@pytest.fixture(scope="module")
def tiny() -> Iterator[dict[str, type]]:
    """Registers the small tasks beside the real ones."""
    from scoring import tiny_tasks

    from tl_search.scoring import catalogue, evaluation

    real, names = evaluation.get_task, catalogue.mteb_names
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            evaluation, "get_task", lambda name, folder=None: tiny_tasks.TASKS.get(name, lambda: real(name, folder))()
        )
        patch.setattr(catalogue, "mteb_names", lambda: {**names(), **dict.fromkeys(tiny_tasks.TASKS, False)})
        yield tiny_tasks.TASKS


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training run of four steps; only to be copied."""
    from cli.tiny_training import TINY, only_run

    from tl_search.cli.main import main

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("trained"))
        assert main(["train", *TINY]) == 0
        run = only_run().resolve()
    return run


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        only_loopback.close_the_door(patch)
        yield


@pytest.fixture(autouse=True)
def nobody_is_asked(loopback_only: None) -> Iterator[None]:
    """A test that asks the network fails, also where a library makes do with the refusal."""
    yield
    assert not (hosts := only_loopback.asked()), f"the network was asked for {', '.join(hosts)}"


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Each test leaves the root logger as it was: handlers would write to streams that are closed by then."""
    root = logging.root
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before, level


@pytest.fixture(autouse=True)
def plain_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches of other rooms' tests show a blank picture: drawing takes a second, and these rooms look at pictures."""
    if request.path.parent.name in ("report", "figures", "end_to_end"):
        return
    from PIL import Image

    from tl_search.report import pictures

    Image.new("RGB", (1, 1)).save(blank := io.BytesIO(), "PNG")
    for name in ("plane_picture", "trajectory_picture"):
        monkeypatch.setattr(pictures, name, lambda *_: blank.getvalue())
