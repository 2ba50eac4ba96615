"""Composes configs from a command line: finds the config files, and lists the jobs of a sweep."""

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from tl_search.cli.command import Bare
from tl_search.cli.config import folders  # noqa: F401  it makes the names of directories, which configs ask for
from tl_search.cli.config.choices import parsed
from tl_search.cli.config.hydra_errors import in_quotes, readable
from tl_search.cli.config.purpose import check_purpose
from tl_search.cli.config.searchpath import EXAMPLES, conf_dir, root
from tl_search.cli.config.varied import sweeping
from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import suggest

# Hydra's own flags, by what follows them; all others would be misread as overrides.
BARE_FLAGS = {"-m", "--multirun", "-r", "--run", "--resolve", "--version"}
VALUE_FLAGS = {"-c", "--cfg", "-p", "--package", "-i", "--info", "-cd", "--config-dir"}
# A path may hold a `=` too, but a setting begins with a name.
SETTING = re.compile(r"(?:\+\+?)?[A-Za-z_][\w./@:$-]*=|~")
SHOWN = ("job", "hydra", "all")
NO_JOB = {"--version", "-i", "--info"}
ONE_OF = {"-m": "-m", "--multirun": "-m", "-r": "-r", "--run": "-r", "-c": "--cfg", "--cfg": "--cfg", "-i": "--info",
          "--info": "--info"}  # fmt: skip
OF_SHOWN = {"-p", "--package", "--resolve"}
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


@dataclass(frozen=True)
class CommandLine:
    """A command's words, told apart: Hydra's own flags, and overrides, with our place on the search path added."""

    command: str
    flags: tuple[str, ...]
    overrides: tuple[str, ...]

    @property
    def multirun(self) -> bool:
        return bool({"-m", "--multirun"} & set(self.flags))

    @property
    def shows_config(self) -> bool:
        return bool({"-c", "--cfg"} & {flag.partition("=")[0] for flag in self.flags})

    @property
    def package(self) -> str | None:
        """The part of the config that is to be shown; None for all of it."""
        after = dict(itertools.pairwise(self.flags))
        return after.get("-p") or after.get("--package")

    @property
    def runs_nothing(self) -> bool:
        return bool(NO_JOB & {flag.partition("=")[0] for flag in self.flags})


def parse(command: str, words: Sequence[str], main_argument: Bare = ()) -> CommandLine:
    """Tell flags from overrides; a bare word is the command's main argument."""
    from tl_search.cli.config import studies

    studies.register()
    flags: list[str] = []
    overrides: list[str] = []
    places = [f"studies://{root()}"]
    bare: list[str] = []
    rest = [_at_home(word) for word in words]
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word.startswith("-") and name in VALUE_FLAGS:
            if not equals:
                alone = name in ("-i", "--info") and (not rest or rest[0] not in INFO)
                value = "all" if alone else rest.pop(0) if rest else ""
            if name in ("-i", "--info") and value not in INFO:
                raise BadInput(f"{name}: must be followed by one of {', '.join(INFO)}, got {value!r}")
            if name in ("-c", "--cfg") and value not in SHOWN:
                raise BadInput(f"{name}: must be followed by one of {', '.join(SHOWN)}, got {value!r}")
            if name in ("-cd", "--config-dir"):
                places.insert(0, f"file://{Path(value).resolve()}")
            else:
                flags += [name, value] if value else [name]
        elif word in BARE_FLAGS:
            flags.append(word)
        elif word.startswith("-"):
            raise BadInput(f"{word}: unknown option of tl {command}; settings are written key=value")
        elif SETTING.match(word) and not (main_argument and "/" in name and Path(word).exists()):
            overrides.append(word)
        else:
            bare.append(word)
    _check_flags(flags)
    if bare and callable(main_argument):
        overrides = [*main_argument(bare), *overrides]
    elif bare and not callable(main_argument):
        if len(bare) > 1 or not main_argument:
            raise BadInput(f"{bare[-1]}: tl {command} takes settings as key=value; see tl {command} --help")
        overrides = [*(override.format(quoted(bare[0])) for override in main_argument), *overrides]
    if {"-m", "--multirun"} & set(flags):
        overrides.append("hydra.mode=MULTIRUN")  # as Hydra adds for the jobs, so that they are checked as they will be
    return CommandLine(command, tuple(flags), (*_with_places(overrides, places),))


def _check_flags(flags: Sequence[str]) -> None:
    """Refuse flags that ask for two things at once, and those that change what is not asked for."""
    asked = list(dict.fromkeys(ONE_OF[flag] for flag in flags if flag in ONE_OF))
    if len(asked) > 1:
        raise BadInput(f"{' and '.join(asked)}: must not be given together, since each asks for something else")
    alone = next((flag for flag in flags if flag in OF_SHOWN), None)
    if alone and "--cfg" not in asked:
        raise BadInput(f"{alone}: must be given with --cfg, which it changes")


def _at_home(word: str) -> str:
    """A word with `~/` replaced by the home folder, which shells do not do within a word: `path=~/models`."""
    start, equals, value = word.partition("=")
    if value == "~" or value.startswith("~/"):
        home = os.path.expanduser(value)
        plain = word.startswith("-") or re.fullmatch(r"[\w./:@-]+", home, re.ASCII)
        return f"{start}{equals}{home if plain else quoted(home)}"
    return os.path.expanduser(word) if word.startswith("~/") else word


def quoted(word: str) -> str:
    """A word as Hydra takes it for text, whatever it holds."""
    return "'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _with_places(overrides: Sequence[str], places: Sequence[str]) -> Iterator[str]:
    """The overrides with one search path of ours and the person's; theirs is looked at first."""
    from tl_search.cli.config.loader import check_place

    theirs: list[str] = []
    for override in overrides:
        if override.startswith("hydra.searchpath="):
            theirs += [place for place in override.partition("=")[2].strip("[]").split(",") if place]
        else:
            yield override
    for place in (*theirs, *places):
        check_place(place)
        scheme, _, folder = place.strip("\"' ").rpartition("://")
        if scheme in ("", "file") and not Path(folder).is_dir():
            raise BadInput(f"hydra.searchpath: there is no folder {folder}")
    quoted = ['"' + place.replace("\\", "\\\\").replace('"', '\\"') + '"' for place in places]
    yield f"hydra.searchpath=[{','.join([*theirs, *quoted])}]"


@contextmanager
def configs() -> Iterator[None]:
    """Hydra, ready to compose from our `conf/`; restores what was there before."""
    from hydra import initialize_config_dir
    from hydra.core.hydra_config import HydraConfig

    from tl_search.cli.config.loader import checked

    before = HydraConfig.instance().cfg
    with checked(), initialize_config_dir(str(conf_dir()), version_base="1.3"):
        try:
            yield
        finally:
            HydraConfig.instance().cfg = before
            _composed.cache_clear()


def compose_job(command: str, overrides: Sequence[str]) -> DictConfig:
    """One job's config, `hydra` included. Only inside `configs()`. Raises BadInput in one line."""
    from hydra.core.hydra_config import HydraConfig

    config = _composed(command, tuple(overrides))
    HydraConfig.instance().cfg = config  # type: ignore[assignment]  # so that `${hydra:runtime.choices.bandit}` has something to read
    return config


def check_shown(line: CommandLine, config: DictConfig) -> None:
    """Refuse `--package` with the name of something that the shown config does not have."""
    package = line.package
    if package in (None, "_global_"):
        return
    shown = {str(key) for key in config} - ({"hydra"} if "job" in line.flags else set())
    if package.partition(".")[0] not in shown or OmegaConf.select(config, package) is None:
        raise BadInput(f"--package: there is no {package} in the config{suggest(package, shown)}")


@lru_cache(maxsize=1)  # a command line without a sweep is composed to find that out, and again as its only job
def _composed(command: str, overrides: tuple[str, ...]) -> DictConfig:
    from hydra import compose

    with readable(command, overrides):
        _check_choices(overrides)
        config = compose(command, list(overrides), return_hydra_config=True)
        check_purpose(command, overrides, config)
    return config


def _check_choices(overrides: Sequence[str]) -> None:
    """Refuse `model=null`, `model=5` and `model=[]`: what names an option is text, or a list of it."""
    from hydra.core.global_hydra import GlobalHydra

    given = parsed(overrides)
    elsewhere = any(o.key_or_group == "hydra.searchpath" and "," in o.get_value_string() for o in given)
    for override in given:
        group, value = override.key_or_group, override.value()
        if group in EXAMPLES and value and not elsewhere and not (root() / group).is_dir():
            raise BadInput(f"{group}: there is no folder {root() / group}; tl init DIR makes one with examples")
        listed = isinstance(value, list) and value and all(isinstance(option, str) for option in value)
        named = isinstance(value, str | dict) or listed
        if not (named or override.is_delete() or override.is_sweep_override() or group in EXAMPLES):
            options = GlobalHydra.instance().config_loader().get_group_options(group)
            if options:
                raise BadInput(f"{group}: must be one of {', '.join(options)}, got {override.get_value_string()}")


def jobs(line: CommandLine) -> list[list[str]]:
    """The overrides of every job that a command line stands for. Only inside `configs()`."""
    from hydra.types import RunMode

    with readable():
        given = parsed(line.overrides)
    sweeps = [str(override.input_line) for override in given if override.is_sweep_override()]
    first = compose_job(line.command, [word for word in line.overrides if word not in sweeps])
    if not line.multirun and first.hydra.mode != RunMode.MULTIRUN:
        if sweeps:
            raise BadInput(
                f"{sweeps[0]}: several values are a sweep, which needs -m (tl {line.command} -m …); "
                f"a text with a comma needs quotes: {in_quotes(sweeps[0])}"
            )
        sweeping(())
        return [list(line.overrides)]
    # A study may bring a sweep of its own; the command line has the last word on the same key.
    params = [f"{key}={value}" for key, value in (first.hydra.sweeper.get("params") or {}).items()]
    with readable():
        choices: dict[str, list[str]] = {}
        for override in [*parsed(params), *given]:
            key = override.get_key_element()
            if override.is_sweep_override():
                choices[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
            else:
                choices[key] = [str(override.input_line)]
            if not choices[key]:
                raise BadInput(
                    f"{override.input_line}: gives no value, so the sweep has no job; list values with commas"
                )
    sweeping(key for key, values in choices.items() if len(values) > 1)
    return [list(job) for job in itertools.product(*choices.values())]
