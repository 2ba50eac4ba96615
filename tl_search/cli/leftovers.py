"""Removes what a command made for jobs that then were refused: empty folders, and Hydra's file of a sweep."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OF_A_SWEEP = "multirun.yaml"  # Hydra writes it before the first job


@contextmanager
def no_leftovers(folders: Iterable[Path]) -> Iterator[None]:
    """After the block, folders above those of jobs are gone if they were not there before and hold nothing."""
    jobs = [folder.absolute() for folder in folders]
    above = {place for job in jobs for place in (job, *job.parents)}
    made = sorted((place for place in above if not place.exists()), key=lambda place: len(place.parts), reverse=True)
    sweeps = [place for job in jobs if not (place := job.parent / _OF_A_SWEEP).exists()]
    try:
        yield
    finally:
        if not any(job.exists() for job in jobs):
            for file in sweeps:
                file.unlink(missing_ok=True)
        for place in made:
            with suppress(OSError):  # it holds something, or another command has removed it
                place.rmdir()
