"""Refuses secrets, such as access tokens, on the command line and in a config, wherever they stand in it."""

from collections.abc import Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, ListConfig, Node, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tl_search.errors.kinds import BadInput
from tl_search.errors.secrets import holds_secret, names_secret, redact

_DEEPEST = 64  # levels; interpolations may lead in circles


def check_words(words: Sequence[str]) -> None:
    """Refuse words of a command line that hold a secret, before anything else may quote them."""
    for word in words:
        key, equals, value = word.partition("=")
        name = key.rpartition(".")[2].lstrip("+~")
        if holds_secret(word) or (equals and value and names_secret(name)):
            raise _refusal(redact(word).partition("=")[0])  # a secret may hold a = itself


def check_secrets(config: DictConfig) -> None:
    """Refuse a config that holds a secret, as it is written or as its interpolations resolve; `hydra` is a part of it.

    The message names the key and never the value.
    """
    for where, key, value in entries(config):
        given = not (value is None or isinstance(value, bool) or value in ("", "???"))
        if (given and names_secret(key)) or holds_secret(key) or (isinstance(value, str) and holds_secret(value)):
            raise _refusal(where)


def _refusal(where: str) -> BadInput:
    return BadInput(
        f"{redact(where)}: secrets are read from the environment (HF_TOKEN), never from a config or a command line"
    )


def entries(node: DictConfig | ListConfig, path: str = "", within: frozenset[int] = frozenset()) -> Iterator[Any]:
    """(path with the key, key, value) of all that is no container, as it is written and once more as it resolves.

    What does not resolve is told later, by whoever needs it.
    """
    if node._is_none() or node._is_missing() or id(node) in within or len(within) > _DEEPEST:
        return
    keys: Any = list(node.keys()) if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        name = str(key)
        where = f"{path}[{name}]" if isinstance(node, ListConfig) else f"{path}.{name}" if path else name
        value: Any = node._get_node(key)
        if OmegaConf.is_interpolation(node, key):
            yield where, name, value._value()
            try:
                value = node[key]
            except (OmegaConfBaseException, ValueError, TypeError):
                continue
        if isinstance(value, DictConfig | ListConfig):
            if names_secret(name) and len(value):
                yield where, name, "a tree"
            yield from entries(value, where, within | {id(node)})
        else:
            yield where, name, value._value() if isinstance(value, Node) else value
