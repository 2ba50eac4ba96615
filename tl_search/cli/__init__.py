"""Floor 5: the commands. From a command line to objects, and from what happened to an exit code.

Start at `main`, which picks the command, and `launch`, which hands its jobs to Hydra. The commands are in `commands/`,
and what makes objects of their settings is in `config/`.
"""
