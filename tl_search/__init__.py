"""tl_search: find the best embedding model hidden inside a language model's training run.

A training run is a plane (checkpoint × layer). A probe computes the embeddings of a column of it in one forward pass,
mteb scores its cells, a policy decides which cells are scored, and a report shows the result.
`docs/architecture.md` explains the parts.
"""

__version__ = "0.1.0"
