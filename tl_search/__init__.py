"""tl_search: find the best embedding model hidden inside a language model's training run.

A training run is a plane (checkpoint × layer); a probe turns a column of it into embeddings in one pass; mteb
scores cells; a policy decides which; a report tells what was found. `docs/architecture.md` is the map.
"""

__version__ = "0.1.0"
