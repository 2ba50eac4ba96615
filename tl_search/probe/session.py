"""What columns share that is slow to make, owned by whoever embeds or measures several of them."""

from __future__ import annotations

from contextlib import AbstractContextManager

from tl_search.probe.config import ProbeConfig
from tl_search.probe.model_cache import ModelCache
from tl_search.probe.ranks import Ranks
from tl_search.probe.tokens import TokenCache


class ProbeSession(AbstractContextManager["ProbeSession"]):
    """A model, token ids and the processes of further devices, each made when a column first needs it.

    A context manager: at the end of the block the model is freed and the processes are ended. Sessions share nothing.
    A session is used by one thread, one column at a time.

    Args:
        config: Which devices, and how large the batches are.
    """

    def __init__(self, config: ProbeConfig) -> None:
        self.config = config
        self.models = ModelCache()
        self.tokens = TokenCache()
        self._ranks: Ranks | None = None

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def ranks(self) -> Ranks:
        """The processes of all devices but the first; new ones, which begin to import at once, where one has died."""
        if self._ranks is None or not self._ranks.alive:
            self._end_ranks()
            self._ranks = Ranks(self.config.devices)
        return self._ranks

    def close(self) -> None:
        """Free the model and the tokens, and end the processes; a column that is asked for later makes them again."""
        self.models.drop()
        self.tokens = TokenCache()
        self._end_ranks()

    def _end_ranks(self) -> None:
        if self._ranks is not None:
            self._ranks.end()
        self._ranks = None
