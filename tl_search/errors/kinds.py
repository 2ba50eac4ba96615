"""The errors that end a command, by what they mean for its user; `cli/explain.py` gives each its exit code."""


class BadInput(Exception):  # noqa: N818  a mistake of the user, not a failure of the program
    """A mistake in what was asked for; its text is the whole message."""


class PartFailed(BadInput):
    """A callback, a logger, an optimizer or the machine, none of them ours, raised an error in a training.

    Args:
        message: For a person; it begins with the part's place in the config.
        begun: Whether the training had made steps, so that there may be something to go on from.
    """

    def __init__(self, message: str, begun: bool = False) -> None:
        super().__init__(message, begun)
        self.message, self.begun = message, begun

    def __str__(self) -> str:
        return self.message


class LockedError(RuntimeError):
    """Another process works in the run directory; the message names it."""


class DivergedError(RuntimeError):
    """The loss or a weight is no longer finite, so training stops.

    Args:
        message: For a person.
        step: The step that did not end well; None where it is not known.
        loss: Whether it is the loss, and not the weights, that was seen to be not finite.
    """

    def __init__(self, message: str, step: int | None = None, loss: bool = False) -> None:
        super().__init__(message)
        self.step, self.loss = step, loss


class JobFailed(Exception):  # noqa: N818  the job failed; this only reports it
    """The exit code and message of a job that ran in a process of its own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


class Terminated(KeyboardInterrupt):
    """SIGTERM. It is handled like Ctrl-C: what was begun is saved on the way out."""


class Requeued(Terminated):
    """SIGUSR1 or SIGUSR2, with which a scheduler warns that the time is nearly over and the job will run again."""
