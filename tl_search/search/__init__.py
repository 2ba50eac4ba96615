"""Floor 4: the search itself, where policies, probe and scoring meet.

`run` is the whole of it: what a search is made of, and its course; `texts` says which texts a column embeds;
`column` is the unit of work (revision, cells → scores); `loop` asks the policy and tells it; `trajectory` is what
the loop leaves on disk; `confirm` measures the finalists on data that chose nothing; `measure` computes label-free
metrics. While a run trains: `live` scores its checkpoints (`live_plane`, at a `pace`), `representation` measures them.
"""
