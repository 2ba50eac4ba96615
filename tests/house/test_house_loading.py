"""What others wrote is opened in few places, each of which is known to run none of it."""

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "tl_search"
# Names by which foreign content can become code → the files that may use them, which say how they do.
DOORS = {
    "from_pretrained": {"runs/pretrained.py"},
    "AutoConfig": {"runs/pretrained.py"},
    "from_config": {"runs/pretrained.py", "training/model.py"},  # the latter of our own settings
    "AutoTokenizer": {"runs/pretrained.py"},
    "load_from_checkpoint": set(),
    "unsafe_load": set(),
    "full_load": set(),
    "Unpickler": set(),
}
SAFE = {  # calls that are safe with one value of an argument
    "torch.load": ("weights_only", True),
    "yaml.load": ("Loader", None),
    "np.load": ("allow_pickle", False),
    "pickle.load": ("", None),
    "pickle.loads": ("", None),
}
# The pickle of an own error, made in the line itself; arrays, which numpy reads without pickles unless it is told to.
EXEMPT = {("errors/ranks.py", "pickle.loads"), ("store/outside.py", "yaml.load")}  # the latter with a safe loader
# The values of trust_remote_code that are not False: as the person said; of an export that was just written.
TRUSTING = {"runs/pretrained.py": ("is_trusted(source)", "trust"), "export/sentence_model.py": ("window",)}


@cache
def sources():
    """(path in the package, all nodes of its syntax tree) of each of our files."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
    return [(path.relative_to(PACKAGE).as_posix(), list(ast.walk(tree))) for path, tree in trees.items()]


@pytest.mark.parametrize("name", DOORS)
def test_models_come_through_one_door(name):
    found = set()
    for path, nodes in sources():
        names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        names |= {node.id for node in nodes if isinstance(node, ast.Name)}
        names |= {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
        if name in names:
            found.add(path)
    assert found == DOORS[name]


def test_pickles_and_yaml_are_read_without_running_them():
    wrong = []
    for where, nodes in sources():
        for node in nodes:
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name not in SAFE or (where, name) in EXEMPT:
                continue
            argument, value = SAFE[name]
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if name == "np.load" and argument not in given:
                continue
            if given.get(argument) != str(value):
                wrong.append(f"{where}:{node.lineno}: {name}")
    assert wrong == []


def test_remote_code_is_trusted_where_a_person_has_said_so_and_nowhere_else():
    for path, nodes in sources():
        for node in nodes:
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                assert ast.unparse(node.value) in ("False", *TRUSTING.get(path, ())), path
