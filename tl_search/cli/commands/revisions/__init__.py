"""`tl revisions`: lists the revisions that a search would look at, what they cost, and what the Hub has of them."""

from tl_search.cli.commands.revisions.command import COMMAND

__all__ = ["COMMAND"]
