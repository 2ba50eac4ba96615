"""Finds what a name of an installed library stands for, by reading its files: importing Lightning takes seconds."""

import ast
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

Statement = ast.ClassDef | ast.expr


def find(module: str, name: str) -> tuple[str, Statement] | None:
    """The module that defines what another module knows by a name, and the class or the value that the name has there.

    None where it cannot be told, since the module takes all names of another one. Nothing is imported.

    Raises:
        LookupError: there is no such module, or no such name in it.
    """
    path = _source(module)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    starred = False
    for node in _statements(_tree(path)):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        value = _assigned(node, name)
        if value is not None:
            return module, value
        if isinstance(node, ast.ImportFrom):
            starred |= node.names[0].name == "*"
            origin = [alias.name for alias in node.names if _known_as(alias) == name]
            if origin:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                return find(".".join([*parents, *([node.module] if node.module else [])]), origin[0])
    if starred:
        return None
    raise LookupError(f"there is no class {name} in {module}")


@cache
def origin(module: str, name: str) -> str:
    """The module from which another one takes a name by `from … import`; empty where it does not. It is not read."""
    for node in _statements(_tree(_source(module))):
        if isinstance(node, ast.ImportFrom) and not node.level and name in map(_known_as, node.names):
            return node.module or ""
    return ""


def _known_as(alias: ast.alias) -> str:
    return alias.asname or alias.name


def _assigned(node: ast.stmt, name: str) -> ast.expr | None:
    """The value that a statement gives to a name."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    if any(isinstance(target, ast.Name) and target.id == name for target in targets):
        assert isinstance(node, ast.Assign | ast.AnnAssign)
        return node.value
    return None


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """The statements of a module, also those below `if` and `try`, but not those of its functions and classes."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.stmt):
            yield node
        if isinstance(node, ast.If | ast.Try | ast.With | ast.ExceptHandler):
            yield from _statements(node)


@cache
def _source(module: str) -> Path:
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"there is no module {module}")
    place = Path(next(iter(spec.submodule_search_locations)), *rest)
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.is_file():
            return path
    raise LookupError(f"there is no module {module}")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
