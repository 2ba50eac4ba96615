"""`tl schedule`: where a run's checkpoints would fall, and what they would cost."""

from tl_search.cli.commands.schedule.command import COMMAND

__all__ = ["COMMAND"]
