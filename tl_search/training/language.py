"""The task of language modelling: blocks of text, of which every token but the first is predicted."""

import warnings
from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.plane.curriculum import Curriculum
from tl_search.text.mix import Mix
from tl_search.training.data import BlockLoader, held_out_batches, rows_of, total_blocks
from tl_search.training.limits import limited
from tl_search.training.mix_order import MixedLoader, mixed_since
from tl_search.training.mix_text import PackedMix
from tl_search.training.ordered import Origin
from tl_search.training.packed_text import PackedText
from tl_search.training.stage_data import NAMES, BatchForm, fitted
from tl_search.training.task import LANGUAGE, Planned, Task
from tl_search.training.tokens import rows

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule
    from torch import Tensor

    from tl_search.training.optim import OptimizerConfig
    from tl_search.training.timeline import Timeline


class LanguageTask(Task):
    """Next-token prediction with any model that transformers' `AutoModelForCausalLM` loads."""

    name = LANGUAGE
    data_parameters: Sequence[str] = NAMES

    def form_of(self, plan: Planned) -> Callable[[Mapping[str, Any]], BatchForm]:
        return partial(BatchForm.of, context=plan.model.context, corpus=plan.data.corpus)

    def fitted(self, curriculum: Curriculum, context: int) -> Curriculum:
        return fitted(curriculum, context)

    def unit(self, plan: Planned) -> int:
        return int(plan.model.context)

    def loader(self, plan: Planned, packed: PackedText | PackedMix, rank: int, origin: Origin) -> BlockLoader:
        text, seed = plan.data, plan.seed if origin.seed is None else origin.seed
        how = (
            packed.train, plan.model.context, text.batch_size, plan.batches_per_step, seed, text.drop_last, rank,
            plan.devices, text.workers, plan.trainer.get("limit_train_batches"), origin,
            partial(_form_at, plan.curriculum, self.form_of(plan)), rows(packed.tokenizer),
        )  # fmt: skip
        if isinstance(packed, PackedText):
            return BlockLoader(*how)
        spans = mixed_since(origin, plan.curriculum, text.corpus)
        return MixedLoader(spans, [*packed.parts], *how)

    def held_out(self, plan: Planned, packed: PackedText | PackedMix) -> "list[Tensor]":
        """Batches for the eval loss, int64 (block, context + 1). Raises ValueError where there is none."""
        text, context = plan.data, plan.model.context
        limit, most = plan.trainer.get("limit_val_batches"), text.validation_batches
        most = min(most, -(-total_blocks(packed.validation, context) // text.batch_size))
        left = limited(most, limit)
        if most and not left:
            raise ValueError(
                f"trainer.limit_val_batches: must leave a batch, got {limit} of {most}; 0 measures no eval loss"
            )
        found = held_out_batches(packed.validation, context, text.batch_size, left)
        if not found:
            raise ValueError(
                f"data.validation_share: must hold out a block of {context} tokens, got {text.validation_share} "
                f"({sum(map(len, rows_of(packed.validation)))} tokens); 0 measures no eval loss"
            )
        return found

    def module(self, model: Any, timeline: "Timeline", optimizer: "OptimizerConfig") -> "LightningModule":
        from tl_search.training.module import CausalLM

        return CausalLM(model, timeline, optimizer)

    def load(self, folder: Path) -> Any:
        from tl_search.runs.pretrained import load_model

        return load_model(folder, "AutoModelForCausalLM", dtype="float32", local_files_only=True)

    def publishes(self, plan: Planned) -> Sequence[str]:
        corpus = plan.data.corpus
        return [f"eval/{name}/" for name in corpus.sources] if isinstance(corpus, Mix) else []

    def measures(
        self, plan: Planned, packed: PackedText | PackedMix, due: Set[int], averaged: bool
    ) -> "list[Callback]":
        """The loss on each source of a mix, on its equal part of as many batches as the eval loss has."""
        from tl_search.training.callbacks.source_losses import SourceLosses

        if not plan.evaluates or isinstance(packed, PackedText):
            return []
        most = -(-len(self.held_out(plan, packed)) // len(packed.parts))
        found = {
            name: held_out_batches(part.validation, plan.model.context, plan.data.batch_size, most)
            for name, part in packed.parts.items()
        }
        if short := [name for name, batches in found.items() if not batches]:
            what = f"hold out less than a block of {plan.model.context} tokens, so they have no eval loss of their own"
            warnings.warn(f"data.corpus.sources: {', '.join(short)}: {what}", stacklevel=2)
        return [SourceLosses({name: batches for name, batches in found.items() if batches}, due, averaged)]


def _form_at(curriculum: Curriculum, form_of: Callable[[Mapping[str, Any]], BatchForm], step: int) -> BatchForm:
    return form_of(curriculum.stage_at(step).data)
