"""Floor 3: vectors in, scores out; mteb's own evaluation decides what a score is.

`tasks` and `stdlib_*` make fresh tasks, `suites` names lists of them; `texts` says which texts a task asks for;
`encoder` hands given vectors to mteb and `evaluation` runs it on one split; `score` gives a cell its score, `resample`
and `replicates` its bootstrap replicates; `ledger` keeps both on disk.
"""
