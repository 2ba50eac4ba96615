"""What a hostile or careless person puts into a config: values of every wrong kind, and the places for them."""

import copy
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tl_search.cli.config.compose import quoted

TEXTS = (
    *(
        "",
        " ",
        "x",
        "null",
        "nan",
        "-1",
        "1e400",
        "0x10",
        "true",
        "~",
        "~/victim",
        "[",
        "{a: 1",
        "a=b",
        "a,b",
        "é" * 80,
    ),
    *("../victim", "VICTIM", "VICTIM/deep/er", "a/../../victim", "..", ".", "/", "/dev/null", "/dev/stdin", "x" * 300),
    *("\x1b[31mred\x1b[0m", "two\nlines", "nul\0", "\u202eback", "\ud7ff\uffff", "%(message)s", "%d", "{0.__class__}"),
    *("${oc.env:HF_TOKEN}", "${oc.env:HOME}", "${oc.create:{_target_: os.system}}", "${oc.decode:x}", "${nope}", "${"),
    *("${seed}", "${runs}", "${hydra:runtime.cwd}", "${hydra.sweep.dir}", "${hydra:run.dir}", "${.}", "${..}", "???"),
    *("os.system", "builtins.open", "torch.load", "torch.optim.SGD", "ext://os.environ", "cfg://root", "pkg://evil"),
    *("step4", "auto", "best", "max", "last", "32-true", "log", "adamw", "cpu", "runs", "<script>alert(1)</script>"),
)
NUMBERS = (0, -1, 1, 2, 7, 2**31, 2**63, 2**64, -(2**70), 10**18, 10**30, 0.5, -0.5, 1e-300, 1e300, -0.0)
NODES: tuple[Any, ...] = (
    {"_target_": "builtins.open", "file": "MARKER", "mode": "w"},
    {"_target_": "os.system", "_args_": ["touch MARKER"]},
    {"_target_": "torch.optim.SGD", "lr": 0.1, "x": 1},
    {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "monitor": 7},
    {"_target_": "lightning.pytorch.loggers.CSVLogger", "save_dir": "VICTIM"},
    {"_target_": "tl_search.plane.schedules.log.LogSchedule", "log_base": "two"},
    {"_target_": None},
    {"_target_": ["os.system"]},
    {"_target_": "${oc.env:HOME}"},
    {"()": "builtins.open", "file": "MARKER", "mode": "w"},
    {"class": "logging.FileHandler", "filename": "VICTIM/x.log"},
    {"a": {"b": [None, {"c": "${a}"}]}},
    {2: 3, None: 4, True: 5},
    {"": {"": ""}},
    {"a.b": 1, "a b": 2, "\x1b": 3},
)
SIBLINGS = (
    *("x", "_target_", "_partial_", "_args_", "_recursive_", "_convert_", "defaults", "__class__", "name", "path", "0"),
    *("callbacks", "logger", "profiler", "strategy", "plugins", "deterministic", "benchmark", "num_nodes", "max_time"),
    *("overfit_batches", "limit_train_batches", "default_root_dir", "enable_checkpointing", "barebones", "dirpath"),
    *("filename", "handlers", "version", "disable_existing_loggers", "env_set", "choices", "searchpath", "params"),
    *("api_key", "HF_ENDPOINT", "\u202e", "a-b", "max_epochs", "detect_anomaly", "inference_mode", "save_dir"),
)


def _deep(depth: int, kind: type) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


def values() -> st.SearchStrategy:
    """Any value that YAML can hold, most of them wrong wherever they stand."""
    scalars = st.one_of(
        st.none(), st.booleans(), st.sampled_from(NUMBERS), st.integers(-(2**70), 2**70), st.floats(),
        st.sampled_from(TEXTS), st.sampled_from(TEXTS), st.text(max_size=8),
    )  # fmt: skip
    deep = st.builds(_deep, st.sampled_from((3, 30, 80)), st.sampled_from((list, dict)))
    nested = st.sampled_from([[], {}, [[[]]], [None], ["x", 1], [[1, 2], {"a": 1}]])
    return st.one_of(scalars, scalars, st.sampled_from(NODES), nested, deep, st.lists(scalars, max_size=3)).map(
        copy.deepcopy
    )


def nodes(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, value) of every node of a composed config, those that hold others too."""
    for key, value in tree.items():
        yield (*path, str(key)), value
        if isinstance(value, dict):
            yield from nodes(value, (*path, str(key)))


def word(value: Any) -> str:
    """A value in the words of a command line; what these cannot say stays as it is, for the command to refuse."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_key(key)}:{word(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(word, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else repr(value)


def _key(key: Any) -> str:
    return str(key) if re.fullmatch(r"[\w.-]+", str(key)) else repr(key)
