"""A whole search of a model on a loopback Hub, in a working directory of its own."""

from pathlib import Path

from tl_search.cli.main import main

SMALL = ("tasks.names=[TinySTS]", "extraction.max_length=16", "probe.accelerator=cpu", "budget.share=1",
         "confirm.resamples=100")  # fmt: skip


def search_in(folder: Path, monkeypatch, *words: str) -> tuple[int, Path | None]:
    """The exit code, and the run if there is one."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    code = main(["search", "checkpoints=hub", "checkpoints.cache=cache", *SMALL, *words])
    place = folder / "runs" / "search"
    runs = [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
    return code, runs[-1] if runs else None
