"""Floor 5: the command line. It turns words into objects, runs a command, and turns its end into an exit code.

Start at `main`, which picks the command, and `launch`, which gives its jobs to Hydra. The commands are in `commands/`.
`config/` turns settings into objects.
"""
