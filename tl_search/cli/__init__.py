"""Floor 5: the command line. It turns words into objects, runs a command, and turns its end into an exit code.

`main` picks the command, and `help` prints the help pages. `config/` composes, checks and builds the settings.
`commands/` has one file per command, and `command` says what a command is. `launch` gives jobs to Hydra; `in_process`
runs the commands that need no run directory. `errors` has the exit codes and the messages.
"""
