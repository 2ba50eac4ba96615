"""Floor 3: training a language model so that it leaves a plane behind.

`fit` wires the parts of a `plan`, `trainer` knows Lightning's, `ranks` starts one process per device; what is trained:
`architecture`, `losses`, `optim`, `module`, `compiling`; on what: `corpus`, `tokens`, `packing`, `data`; for how long:
`horizon`, `estimate`; what it leaves: `revisions` (loadable models) and `resume` (full states, kept by `retention`),
written by `saving` while training goes on; where it starts: `rewind`, and longer than planned: `extend`; how it ends:
`ending`; `identity` says which run a folder holds; `evaluate` measures a revision again; `callbacks/` act in time.
"""
