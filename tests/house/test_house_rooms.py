"""What a room says of itself is true: the files that its docstring names are there, and a list of them is whole."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = sorted(path.parent for path in (ROOT / "tl_search").rglob("__init__.py"))
FEW = 3  # names, which lead a reader to where to begin; more are a list, and a list is of all files


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(ROOT).as_posix())
def test_a_room_names_what_it_has(room):
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    named = [name for name in re.findall(r"`([^`]+)`", said) if name.split()[0] != "tl"]
    for name in named:
        places = (room / f"{name}.py", room / name, ROOT / "tl_search" / name, ROOT / name)
        assert any(place.exists() for place in places), name
    files = {path.stem for path in room.glob("[!_]*.py")}
    assert len([name for name in named if not name.endswith("/")]) <= FEW or files <= set(named), files - set(named)
