"""`run.json`: the record that identifies a run. It is written before the work begins, only by the methods here."""

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from tl_search.runs.layout import HEALED_BY, RunPaths
from tl_search.runs.parent import Parent
from tl_search.store.atomic import write_json
from tl_search.store.typed_json import from_plain, read_record, reading, write_record

PACKAGES = (
    "tl-search",
    "torch",
    "lightning",
    "transformers",
    "tokenizers",
    "mteb",
    "scikit-learn",
    "numpy",
    "scipy",
    "hydra-core",
)


# Of an entry of a run's history, what the learning rate follows from.
_CHANGE = {"step": int, "lr_policy": str, "total": tuple[int, ...]}
# Of `DONE.json`, the facts by name; a training's has one of the first two, a search's has its exit code.
_FACTS = {
    "step": int,
    "digest": str,
    "eval_loss": float | None,
    "early": str,
    "pulls": int,
    "unmeasured": Mapping[str, str],
    "result": str,
}


def versions() -> dict[str, str]:
    """The versions of the packages on which the run's results depend, by package."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def check_version(run: Path, known: Mapping[str, str]) -> None:
    """Raises ValueError if a run is of a newer version of this package than is here: what it holds may mean more.

    Args:
        known: Package → version, of the run.
    """
    from packaging.version import InvalidVersion, Version

    said, here = known.get(PACKAGES[0], "0"), importlib.metadata.version(PACKAGES[0])
    try:
        newer = Version(said) > Version(here)
    except InvalidVersion as error:
        raise ValueError(f"run: {run} says that it is of version {said!r} of tl_search, which is none") from error
    if newer:
        way = "install that version, or start another run (name=OTHER)"
        raise ValueError(f"run: {run} is of tl_search {said}, newer than {here} here; {way}")


@dataclass(frozen=True)
class RunRecord:
    """The content of `run.json`.

    Args:
        command: The command that started the run: train, search or run.
        name: The folder's name without the digest.
        digest: Digest of the settings at its start, as in the folder's name (`runs/identity.py`).
        seed: Random seed of the run; None if it has none.
        versions: Package → version at the start of the run.
        plan: For a training: the settings that decide weights and steps, with their present values.
        data: For a training: digests of its text (`corpus`) and of its tokenizer (`tokenizer`), the token that ends a
            document (`end_of_text`), and the rules by which text became tokens (`packing_rules`); an older record has
            only the digests, that of the tokenizer in an older form.
        weights: For a training: whether revisions hold the trained weights (`raw`) or their average (`ema`).
        history: For a training: the changes of its plan, each with the step from which it holds.
        parent: The run and the state that it was branched from; None for a run that was not branched.
        plugins: Packages of the user's own whose classes the run has been allowed to use, whenever it was started.
        tags: Words of the user's own, which decide nothing; those that a command named last.
        trusted: Models whose own code the run has been allowed to run, whenever it was started (`runs/trusted.py`).
        varied: The end of `name` that says what the command line changed.
    """

    command: str
    name: str
    digest: str
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=lambda: versions())
    plan: Mapping[str, Any] | None = None
    data: Mapping[str, str] | None = None
    weights: str | None = None
    history: tuple[Mapping[str, Any], ...] = ()
    parent: Parent | None = None
    plugins: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    varied: str = ""
    trusted: tuple[str, ...] = ()

    OPTIONAL = ("tags", "plugins", "trusted", "varied", "plan", "data", "weights", "history", "parent")
    HEALED_BY: ClassVar[str] = f"copy it back, or {HEALED_BY}"

    def __post_init__(self) -> None:
        if self.plan is not None and not {"seed", "trainer"} <= self.plan.keys():
            raise ValueError("plan has no seed or no trainer")
        for number, entry in enumerate(self.history):
            for name, hint in _CHANGE.items():
                from_plain(hint, entry[name], f"history[{number}].{name}")

    @classmethod
    def read(cls, run: Path) -> Self | None:
        """The record of a run directory; None where there is none.

        Raises:
            ValueError: it is damaged; the message names the file.
        """
        path = RunPaths(run).record
        return read_record(cls, path) if path.exists() else None

    def write(self, run: Path) -> None:
        """Replace the record of a run directory."""
        write_record(RunPaths(run).record, self)


@dataclass(frozen=True)
class Done:
    """`DONE.json`: a run is finished.

    Args:
        exit_code: Exit code of the command; 3 if cells could not be scored or measured.
        facts: For a training: step, eval_loss, the digest of its plan, `early` (why it ended before its last step); for
            a search: pulls, unmeasured, the sha256 of `result.json` (`result`).
    """

    exit_code: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, run: Path) -> Self | None:
        """None for a run that is not finished. Raises ValueError for a damaged file."""
        path = RunPaths(run).done
        if not path.exists():
            return None
        with reading(path, HEALED_BY) as value:
            found = dict(from_plain(Mapping[str, Any], value))
            if "step" not in found and "exit_code" not in found:
                raise KeyError("exit_code")
            facts = {name: from_plain(_FACTS.get(name, Any), fact, name) for name, fact in found.items()}
            return cls(from_plain(int, facts.pop("exit_code", 0), "exit_code"), facts)

    def write(self, run: Path) -> None:
        code = {} if "step" in self.facts else {"exit_code": self.exit_code}
        write_json(RunPaths(run).done, {**code, **self.facts})


@dataclass(frozen=True)
class Diverged:
    """`DIVERGED.json`: a training has ended since its loss or its weights were no longer finite.

    It is removed when the run goes on, as with a lower learning rate.

    Args:
        step: The step that did not end well; None where it is not known.
        message: What the command said.
    """

    step: int | None
    message: str

    HEALED_BY: ClassVar[str] = HEALED_BY

    @classmethod
    def read(cls, run: Path) -> Self | None:
        """None for a run that has not diverged. Raises ValueError for a damaged file."""
        path = RunPaths(run).diverged
        return read_record(cls, path) if path.exists() else None

    def write(self, run: Path) -> None:
        write_record(RunPaths(run).diverged, self)
