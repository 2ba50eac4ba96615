"""What the revisions of a model on the Hub hold, by what the Hub lists of their files; no weights are downloaded."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from tl_search.checkpoints.content import Content
from tl_search.checkpoints.refs import Ref
from tl_search.checkpoints.repository import MissingError, Repository, UnreadableError
from tl_search.checkpoints.weights import gap
from tl_search.runs import digests

_REQUESTS = 8  # at a time


def contents(
    hubs: Mapping[str, Repository], refs: Mapping[str, Ref], strict: bool
) -> tuple[dict[str, Content], dict[str, str]]:
    """What can be read of the revisions, and of the others why not, both by name.

    Args:
        hubs: By the name of the repository.
        refs: Where the revisions lie.
        strict: Whether one that cannot be read is refused.

    Raises:
        ValueError: access is denied; or, if `strict`, a revision is missing or cannot be read.
        UnreachableError: the Hub did not answer.
    """

    def content(name: str) -> Content | str:
        hub = hubs[refs[name].repository]
        try:
            return _content(hub, name, refs[name].commit)
        except MissingError:  # HTTP 404; other errors are raised
            why = f"{hub.name} no longer has it"
        except UnreadableError as error:
            why = f"in {hub.name} {error}"
        except Exception as error:
            hub.failures.append(error)
            raise
        if strict:
            raise ValueError(f"checkpoints.strict_revisions: must be false to go on without {name}; {why}")
        return why

    with ThreadPoolExecutor(_REQUESTS) as pool:
        found = dict(zip(refs, pool.map(content, refs), strict=True))
    return (
        {name: content for name, content in found.items() if isinstance(content, Content)},
        {name: why for name, why in found.items() if isinstance(why, str)},
    )


def _content(hub: Repository, name: str, commit: str) -> Content:
    """What a revision's files hold. Raises MissingError and UnreadableError."""
    files, weights = hub.files(commit, name), hub.weights(commit, name)
    if not weights or digests.CONFIG not in files:
        raise UnreadableError("it has no weights")
    if missing := gap(weights):
        raise UnreadableError(f"it lacks weights ({missing})")
    settings = files.get(digests.TOKENIZER_CONFIG)
    tokenizer = {file: hub.sha256(commit, name, files[file]) for file in digests.TOKENIZER if file in files}
    parts = {file: hub.sha256(commit, name, weights[file]) for file in weights}
    return Content(
        digests.weights_digest(parts, hub.settings(commit, name, files[digests.CONFIG])),
        digests.tokenizer_digest(tokenizer, hub.settings(commit, name, settings) if settings else None),
        tuple(parts.values()),
    )
