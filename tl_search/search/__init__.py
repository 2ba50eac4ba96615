"""Floor 4: the search itself, where policies, probe and scoring meet.

`run` makes a search from its parts, and `budget` limits it. `loop` asks the policy for pulls, and `trajectory` writes
them. A `column` is the unit of work (a revision and cells in, scores out); `texts` says which texts it embeds, and
`prefetch` fetches revisions. `confirm` scores the finalists on new data, and `measure` computes label-free metrics.
While a model trains, `live_plane` scores its layers and `live_metrics` measures them (`live`, `live_columns`, `pace`).
"""
