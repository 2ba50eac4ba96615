"""Floor 3: training a language model so that it leaves a plane behind.

`fit` wires the parts, `trainer` knows Lightning's; what is trained: `architecture`, `losses`, `optim`, `module`; on
what: `corpus`, `tokens`, `packing`, `data`; what it leaves: `revisions` (loadable models) and `resume` (rolling
training state, so that a killed run goes on as if nothing had happened); `identity` says which run a folder holds;
`callbacks/` act in time.
"""
