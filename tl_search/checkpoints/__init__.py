"""Floor 2: where revisions come from, and how to tell whether two of them are the same.

`source` says what every source offers; `run`, `folder` and `hub` are the sources. `index` is the log of a training
run's revisions, `digests` identifies a revision by its files, and `retry` repeats requests to a server.
"""
