"""A message that begins with a field names one that a person can type: its whole path in the config."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TREES = {file: ast.parse(file.read_text()) for file in sorted((ROOT / "tl_search").rglob("*.py"))}
CLASSES = {node.name: node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
KINDS = {"BadInput", "ValueError", "TypeError"}
FIELD = re.compile(r"([a-z_]+(?:\.[a-z_]+)*): ")
# Arguments of functions, and entries of files, that no setting gives; or that a caller replaces by its setting.
ARGUMENTS = {
    "_target_", "accelerator", "auto_generate_checkpoints", "callbacks", "cells", "confirmation", "dtype", "family",
    "folder", "interval", "items", "layer", "layers", "losses", "measures", "mix", "models", "mteb", "names",
    "precision", "published", "resamples", "revision", "revisions", "scores", "split", "steps",
    "subsequent_epochs_spacing", "subset", "target_checkpoints", "task", "template", "texts", "types", "usage",
    "vectors",
}  # fmt: skip


def leaves(node: Any, path: str) -> Iterator[str]:
    """The paths of a config file's settings, and of the nodes on the way to them."""
    yield path
    for key, value in node.items() if isinstance(node, dict) else ():
        yield from leaves(value, f"{path}.{key}".lstrip("."))


def settings() -> set[str]:
    """All that can be typed: settings of the commands, and of the options of groups at their place."""
    found: set[str] = {"experiments", "launchers", "trainer.num_nodes"}
    for file in (ROOT / "conf").rglob("*.yaml"):
        group = file.parent.relative_to(ROOT / "conf").as_posix().strip(".")
        found |= set(leaves(yaml.safe_load(file.read_text()), group.replace("/", ".")))
    return found | {"trainer.max_epochs"}


def beginning(node: ast.expr) -> str:
    """How a message begins, up to what is filled in."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def own_fields(node: ast.ClassDef) -> frozenset[str]:
    """The fields of a class, and of the one that it extends."""
    inherited = [base for name in map(ast.unparse, node.bases) if (base := CLASSES.get(name)) is not None]
    own = {one.target.id for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)}
    return frozenset(own).union(*map(own_fields, inherited))


def raised(node: ast.AST, fields: frozenset[str] = frozenset(), function: str = "") -> Iterator[tuple[int, str]]:
    """(line, field) of the messages below a node, but those of a class about its own fields, which get its path."""
    for child in ast.iter_child_nodes(node):
        own, within = fields, function
        if isinstance(child, ast.ClassDef):
            own = own_fields(child)
        if isinstance(child, ast.FunctionDef):
            within = child.name
        if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call) and child.exc.args:
            found = FIELD.match(beginning(child.exc.args[0]))
            checked = within in ("__post_init__", "check")
            if found and ast.unparse(child.exc.func) in KINDS and not (checked and found[1].split(".")[0] in own):
                yield child.lineno, found[1]
        yield from raised(child, own, within)


def test_a_field_in_a_message_is_a_path_that_can_be_typed():
    known, used, strange = settings(), set[str](), []
    for file, tree in TREES.items():
        for line, field in raised(tree):
            used.add(field)
            hydras = field.startswith("hydra.")  # in Hydra's own config
            if not hydras and field not in known and field not in ARGUMENTS:
                strange.append(f"{file.relative_to(ROOT)}:{line}: {field}")
    assert strange == []
    assert used >= ARGUMENTS  # none is excused for nothing
