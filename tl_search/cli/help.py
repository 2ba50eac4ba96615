"""Help pages, which are made from the comments in `conf/`: a new option appears in them as soon as its file exists."""

import re

from tl_search.cli import commands
from tl_search.cli.config.searchpath import OWN_GROUPS, conf_dir, root

WIDTH = 110


def overview() -> str:
    """What `tl` and `tl --help` print."""
    lines = [
        "tl finds the best embedding model hidden inside a language model's training run.",
        "",
        "usage: tl COMMAND [SETTING=VALUE ...]",
        "",
        *(f"  {name:10}{commands.find(name).summary.splitlines()[0]}" for name in commands.NAMES),
        "  init      copy example experiments and launchers into a folder of your own",
        "",
        "tl COMMAND --help lists the settings of a command. A first example, which needs no data and no download:",
        "",
        "  tl run experiments=quickstart/run",
    ]
    return "\n".join(lines)


def command_page(name: str) -> str:
    """What `tl COMMAND --help` prints."""
    command = commands.find(name)
    texts = _texts(name)
    groups = [entry for text in texts for entry in _groups(text)]
    if not command.makes_run:
        groups = [(group, default) for group, default in groups if group != "launchers"]
    parts = [command.summary, "", f"usage: tl {name} {command.usage}"]
    if groups:
        parts += ["", "Groups of settings; choose one option of a group with GROUP=OPTION (* = default):"]
        width = max(len(group) for group, _ in groups)
        parts += [f"  {group:{width}}  {_options(group, default)}" for group, default in groups]
        parts += [f"  GROUP.SETTING=VALUE changes one setting of an option; tl {name} --cfg job lists all settings."]
    settings = dict[str, str]()
    for text in reversed(texts):  # the command's own first
        settings |= {setting: meaning for setting, meaning in _settings(text) if setting not in settings}
    if settings:
        parts += ["", "Settings:", *(f"  {setting:24}{meaning}" for setting, meaning in settings.items())]
    parts += ["", "Examples:"]
    parts += [line for text, what in command.examples for line in (f"  # {what}", f"  {text}")]
    parts += ["", "-m runs a sweep: one job for each combination of the values, which are separated by commas."]
    parts += ["--cfg job prints the whole config and runs nothing."]
    return "\n".join(parts)


def _texts(name: str) -> list[str]:
    """A primary config, after the shared ones that its defaults list names."""
    text = (conf_dir() / f"{name}.yaml").read_text()
    shared = re.findall(r"^  - ([a-z]+)$", text, re.MULTILINE)
    return [part for entry in shared for part in _texts(entry)] + [text]


def _groups(primary: str) -> list[tuple[str, str]]:
    """The groups that a primary config's defaults list names, each with its default option."""
    found = re.findall(r"^  - (?:override )?/?([a-z_]+): *([^ #\n]+)", primary, re.MULTILINE)
    return [(group, default) for group, default in found if not group.startswith("hydra")]


def _options(group: str, default: str) -> str:
    names = set()
    for place in (conf_dir(), *([root()] if group in OWN_GROUPS else [])):
        folder = place / group
        if folder.is_dir():
            files = [path.relative_to(folder) for path in folder.rglob("*.yaml")]
            names |= {path.with_suffix("").as_posix() for path in files if len(path.parts) <= 3}
    listed = [f"{name}*" if name == default else name for name in sorted(names)]
    text = ", ".join(listed)
    return text if len(text) <= WIDTH else text[:WIDTH].rpartition(",")[0] + ", …"


def _settings(primary: str) -> list[tuple[str, str]]:
    """The commented keys of a primary config, each with its comment and its default value."""
    found, parent = [], ""
    for line in primary.partition("\nhydra:")[0].splitlines():
        match = re.match(r"( *)([a-z_]+):(?: +(.*?))?(?: +# (.*))?$", line)
        if match is None:
            continue
        indent, key, value, meaning = match.groups()
        parent = key if not indent and not value else parent if indent else ""
        name = f"{parent}.{key}" if indent and parent else key
        if meaning and key != "defaults":
            default = "" if not value or "$" in value else f" ({value})"
            found.append((name, f"{meaning}{default}"))
    return found
