"""How tables look in a terminal: a line below the headers, and nothing around the rest."""

from rich.box import SIMPLE_HEAD
from rich.table import Table


def plain_table(*headers: str) -> Table:
    """A table with these columns, whose cells are folded where they are too wide; it begins with its headers."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    return table
