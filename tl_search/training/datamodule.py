"""The packed text as a Lightning data module."""

from lightning.pytorch import LightningDataModule
from torch import Tensor

from tl_search.training.data import BlockLoader, Text, held_out_batches
from tl_search.training.packing import PackedText


class TextData(LightningDataModule):
    """Training batches, from a loader that can be resumed, and held-out batches.

    Args:
        text: The config of the text.
        packed: The tokens.
        context: Predicted tokens of a block.
        batches_per_step: Number of batches in an optimizer step.
        seed: Random seed of the order.
        rank: Rank of this process.
        ranks: How many there are, each with its own batches of a step.
    """

    def __init__(
        self,
        text: Text,
        packed: PackedText,
        context: int,
        batches_per_step: int,
        seed: int,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        super().__init__()
        self.loader = BlockLoader(
            packed.train, context, text.batch_size, batches_per_step, seed, text.drop_last, rank, ranks, text.workers
        )
        self.held_out: list[Tensor] = held_out_batches(
            packed.validation, context, text.batch_size, text.validation_batches
        )
        if text.validation_share and not self.held_out:
            raise ValueError(
                f"data.validation_share: must hold out a block of {context} tokens, got {text.validation_share} "
                f"({len(packed.validation)} tokens); 0 measures no eval loss"
            )

    @property
    def steps_per_epoch(self) -> int:
        return self.loader.steps

    def train_dataloader(self) -> BlockLoader:
        return self.loader
