"""tl_search: find the best embedding model hidden inside a language model's training run.

A training run is a plane (checkpoint × layer); a probe turns a column of it into embeddings in one pass; mteb
scores cells; a policy decides which; a report tells what was found. `docs/architecture.md` is the map.

From Python: `open_run(path)` reads what a run has left.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tl_search.runs.open import Run, open_run

__version__ = "0.1.0"
__all__ = ["Run", "__version__", "open_run"]


def __getattr__(name: str) -> Any:
    """The public names that need more than a moment to import (PEP 562)."""
    if name in ("Run", "open_run"):
        from tl_search.runs import open as face

        return getattr(face, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
