"""`tl schedule`: shows at which steps a training run would write checkpoints, and their cost. It trains nothing."""

from tl_search.cli.commands.schedule.command import COMMAND

__all__ = ["COMMAND"]
