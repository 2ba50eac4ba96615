"""Floor 2: where revisions come from, and how one knows that two of them are the same.

What a source owes (`source`), the sources (`run`, `folder`, `hub`), the log of a training run's revisions (`index`),
and what a revision's files hold, as digests (`digests`).
"""
