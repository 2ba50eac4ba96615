"""tl_search: find the best embedding model hidden inside a language model's training run.

A training run is a plane (checkpoint × layer). A probe computes the embeddings of a column of it in one forward pass,
mteb scores its cells, a policy decides which cells are scored, and a report shows the result.
`docs/architecture.md` explains the parts.

From Python, open_run(path) reads the files of a run.
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
