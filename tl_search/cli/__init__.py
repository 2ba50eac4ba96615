"""Floor 5: the commands. From a command line to objects, and from what happened to an exit code.

`main` picks the command; `compose` reads `conf/` and what the command line changes; `build` and `convert` turn nodes
into objects, `foreign` guards classes that are not ours; `preflight` does all of it for every job before any work;
`launch` hands the jobs to Hydra; `identity` names runs, `record` says on disk what a run is; `errors` has the
sentences and the exit codes; `resumed` puts a command line on top of a run's own settings. `train`, `evaluate`,
`search`, `report`, `run`, `schedule` and `init` are one command each.
"""
