"""Floor 2: where revisions come from, and how to tell whether two of them are the same.

`source` says what every source offers; `run`, `folder` and `hub` are the sources, and `retry` repeats requests to a
server.
"""
