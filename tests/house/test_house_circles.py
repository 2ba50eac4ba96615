"""No two modules of the package need each other, not even by an import within a function or for types alone."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REGISTRY = "tl_search.cli.commands"  # finds a command by its name, so that a command may use what asks for one


def sources() -> dict[str, Path]:
    """Every module of the package → its file."""
    found = {}
    for path in (ROOT / "tl_search").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(module: str, source: str, known: set[str], is_package: bool = False) -> set[str]:
    """The modules among `known` that a module imports, wherever in its text; `from package import module` counts."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            parts = {alias.name: f"{origin}.{alias.name}" for alias in node.names}
            found |= {part if part in known else origin for part in parts.values()}
    return (found & known) - {module}


def circles(needs: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules of which each needs each other, directly or by way of others."""
    reached = {module: _reached(module, needs) for module in needs}
    groups = {frozenset({one, *(other for other in reached[one] if one in reached[other])}) for one in needs}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _reached(module: str, needs: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = [module]
    while ahead:
        new = needs[ahead.pop()] - found
        found |= new
        ahead += new
    return found


def test_modules_need_each_other_in_one_direction_only():
    places = sources()
    needs = {
        module: imports(module, path.read_text(encoding="utf-8"), set(places), path.name == "__init__.py")
        for module, path in places.items()
    }
    assert "tl_search.plane.arm" in needs["tl_search.search.loop"]
    assert circles(needs) == []


def test_no_module_hides_what_it_needs_in_a_string():
    for module, path in sources().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                assert "tl_search" not in ast.unparse(node) or module == REGISTRY, module


def test_every_way_to_import_is_seen():
    known = {"p", "p.a", "p.b", "p.c", "p.d", "p.e"}
    source = """
import p.a
from typing import TYPE_CHECKING
from p import b, VERSION
from p.c import thing
if TYPE_CHECKING:
    from . import d
def late():
    from .e import other
"""
    assert imports("p.x", source, known) == known
    assert imports("p", "from .a import thing", known, is_package=True) == {"p.a"}


def test_a_circle_is_found_however_long():
    needs = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}
    assert circles(needs) == [["a", "b", "c"]]
