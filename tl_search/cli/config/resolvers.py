"""The functions that a config may call in `${name:…}`, and the environment variables that it may read.

OmegaConf has resolvers that make new nodes out of a text. A check of what the files say would not see such a node, so
only these few can be used, wherever a config comes from.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import suggest

RESOLVERS = ("hydra", "oc.env", "tl.folder", "tl.run_folder")
VARIABLES = ("HOME", "USER", "LOGNAME", "HOSTNAME", "TMPDIR", "SCRATCH", "WORK", "DATA")
OWN = "TL_"  # how all other variables begin that a config may read


def check_resolvers(tree: Any, path: str = "") -> None:
    """Refuse every interpolation of an unresolved config that calls something else. Raises BadInput."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            check_resolvers(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list):
        for number, item in enumerate(tree):
            check_resolvers(item, f"{path}[{number}]")
    elif isinstance(tree, str) and "${" in tree:
        for name, argument in _calls(tree, path):
            if name not in RESOLVERS:
                raise BadInput(f"{path}: ${{{name}:…}} is not allowed in a config{suggest(name, RESOLVERS)}")
            if name == "oc.env" and argument not in VARIABLES and not argument.startswith(OWN):
                raise BadInput(
                    f"{path}: a config may not read the environment variable {argument} "
                    f"(allowed: {', '.join(VARIABLES)}, and names that begin with {OWN})"
                )


def _calls(text: str, path: str) -> Iterator[tuple[str, str]]:
    """(resolver, first argument) of each call in a text, both as they are written."""
    from antlr4.error.Errors import RecognitionException
    from omegaconf.errors import GrammarParseError

    try:
        return iter(_parsed(text))
    except (GrammarParseError, RecognitionException) as error:
        raise BadInput(f"{path}: {text!r} is not a valid interpolation") from error


@cache
def _parsed(text: str) -> tuple[tuple[str, str], ...]:
    from omegaconf.grammar.gen.OmegaConfGrammarParser import OmegaConfGrammarParser
    from omegaconf.grammar_parser import parse

    found, left = [], [parse(text)]
    while left:
        node = left.pop()
        if isinstance(node, OmegaConfGrammarParser.InterpolationResolverContext):
            given = node.sequence()
            found.append((node.resolverName().getText(), given.getText().partition(",")[0] if given else ""))
        left += list(getattr(node, "children", None) or ())
    return tuple(found)
