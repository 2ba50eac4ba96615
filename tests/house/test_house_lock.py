"""`requirements.lock` is of the versions that `constraints.txt` pins, with a sum for every file."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
OF_TORCH = {"torch", "mpmath", "networkx", "sympy"}  # torch's own, which its index brings


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def entries() -> dict[str, tuple[str, str]]:
    """Package → its version, and what else the lock says of it."""
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition("==")
        version, _, more = rest.partition(" ")
        found[canonical(name)] = version, more
    return found


def test_every_locked_version_is_the_pinned_one_and_every_file_has_a_sum():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    pins = {canonical(name): version for name, version in pins.items()}
    locked = entries()
    assert {name: locked[name][0] for name in locked.keys() & pins.keys()} == {
        name: version for name, version in pins.items() if name not in OF_TORCH
    }
    assert all("--hash=sha256:" in more for _, more in locked.values())
    unpinned = locked.keys() - pins.keys() - {"setuptools"}  # which pip freeze leaves out
    assert all(";" in locked[name][1] for name in unpinned)  # other systems alone need them


def test_every_requirement_but_torch_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = {
        canonical(re.match(r"[\w.-]+", requirement)[0])
        for requirement in (*project["dependencies"], *extras["dev"], *extras["peptide"])
    }
    assert named - {"torch"} <= entries().keys()
