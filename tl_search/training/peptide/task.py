"""The task of peptide sequencing: what `training/task.py` asks of one."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.plane.curriculum import Curriculum
from tl_search.training.limits import limited
from tl_search.training.ordered import OrderedLoader, Origin, stream
from tl_search.training.peptide.data import PackedSpectra
from tl_search.training.peptide.form import SpectrumForm
from tl_search.training.peptide.spectrum import Spectrum, SpectrumBatch, batch_of
from tl_search.training.task import Planned, Task

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule

    from tl_search.training.optim import OptimizerConfig
    from tl_search.training.timeline import Timeline

_FORM = Callable[[Mapping[str, Any]], SpectrumForm]


class PeptideTask(Task):
    """From the peaks of a tandem mass spectrum to the residues of its peptide."""

    name = "peptide"
    data_parameters: Sequence[str] = tuple(sorted(one.name for one in fields(SpectrumForm)))

    def form_of(self, plan: Planned) -> _FORM:
        longest, shortest = plan.data.longest(plan.model.context), plan.data.shortest
        return partial(SpectrumForm.of, longest=longest, shortest=shortest)

    def fitted(self, curriculum: Curriculum, context: int) -> Curriculum:
        return curriculum  # a small model has the context of a large one

    def unit(self, plan: Planned) -> int:
        return 1  # spectra are counted, which have different numbers of residues

    def loader(self, plan: Planned, packed: PackedSpectra, rank: int, origin: Origin) -> "SpectrumLoader":
        form_of = self.form_of(plan)
        for name, stage in plan.curriculum.stages.items():
            try:
                packed.source.check(form_of(stage.data))
            except ValueError as error:
                raise ValueError(f"curriculum.stages.{name}.data.{error}") from error
        return SpectrumLoader(plan, packed, form_of, rank, origin)

    def held_out(self, plan: Planned, packed: PackedSpectra) -> list[SpectrumBatch]:
        """Batches of all sets that give the eval loss, fewer where `trainer.limit_val_batches` says so."""
        found = [batch for name in packed.held_out for batch in _batches(packed.sets[name], plan.data.batch_size)]
        limit = plan.trainer.get("limit_val_batches")
        if not (left := limited(len(found), limit)):
            raise ValueError(
                f"trainer.limit_val_batches: must leave a batch, got {limit} of {len(found)}; 0 measures no eval loss"
            )
        return found[:left]

    def module(self, model: Any, timeline: "Timeline", optimizer: "OptimizerConfig") -> "LightningModule":
        from tl_search.training.peptide.module import PeptideSequencer

        return PeptideSequencer(model, timeline, optimizer)

    def load(self, folder: Path) -> Any:
        from tl_search.runs.pretrained import load_model
        from tl_search.training.peptide.network import SpectrumConfig

        assert SpectrumConfig.model_type  # the import lets transformers know the model's class
        return load_model(folder, dtype="float32", local_files_only=True)

    def publishes(self, plan: Planned) -> Sequence[str]:
        return ("eval/",)

    def measures(self, plan: Planned, packed: PackedSpectra, due: Set[int], averaged: bool) -> "list[Callback]":
        from tl_search.training.peptide.evaluation import PeptideEvaluation

        if not plan.evaluates:
            return []
        sets = {name: _batches(spectra, plan.data.batch_size) for name, spectra in packed.sets.items()}
        return [PeptideEvaluation(sets, due, plan.tokenizer.masses(), averaged)]


class SpectrumLoader(OrderedLoader):
    """Batches of spectra, each in the form of its step."""

    def __init__(self, plan: Planned, packed: PackedSpectra, form_of: _FORM, rank: int, origin: Origin) -> None:
        data, count, seed = plan.data, packed.source.count, plan.seed if origin.seed is None else origin.seed
        super().__init__(
            count, "spectra", f"{count} spectra", data.batch_size, plan.batches_per_step, seed, data.drop_last, rank,
            plan.devices, data.workers, plan.trainer.get("limit_train_batches"), origin,
        )  # fmt: skip
        self.source, self.curriculum, self.form_of, self.max_peaks = (
            packed.source,
            plan.curriculum,
            form_of,
            data.max_peaks,
        )

    def make(self, epoch: int, batch: int) -> SpectrumBatch:
        form = self.form_of(self.curriculum.stage_at(self.step_of(epoch, batch)).data)
        return batch_of([self._spectrum(form, epoch, int(place)) for place in self.places(epoch, batch)])

    def _spectrum(self, form: SpectrumForm, epoch: int, place: int) -> Spectrum:
        clear = self.source.spectrum(form, self.seed, epoch, place)
        return form.disturbed(clear, stream(self.seed, "noise", epoch, place), self.max_peaks)


def _batches(spectra: Sequence[Spectrum], size: int) -> list[SpectrumBatch]:
    return [batch_of(spectra[start : start + size]) for start in range(0, len(spectra), size)]
