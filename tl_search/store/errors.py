"""An error and what it came from."""

from collections.abc import Iterator


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, its cause or context, the cause of that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
