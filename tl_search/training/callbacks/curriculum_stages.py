"""Applies the curriculum: the loss weights of the present stage, whenever a stage begins and when training starts."""

import sys
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from tl_search.errors.printable import printable
from tl_search.plane.curriculum import Stage
from tl_search.runs.identity import plain
from tl_search.store.keys import digest
from tl_search.training.callbacks.each_batch import EachBatch
from tl_search.training.timeline import Timeline


class CurriculumStages(EachBatch):
    """Gives the module the weights of the stage, tells loggers what holds, and keeps the place in the training state.

    All values of a stage are applied when training starts too, whatever the state says of the stage: which stage it is
    follows from the step alone, so a run that was restored in the middle of a stage has all of its values at once. The
    data parameters need no applying: the loader makes every batch with those of the batch's own step.

    Args:
        timeline: The stages of the run.
        every: Steps between two points of the curves; a stage's start has one in any case.
    """

    def __init__(self, timeline: Timeline, every: int) -> None:
        self.timeline, self.every = timeline, every
        self.identity = {
            "curriculum": timeline.curriculum.name,
            "digest": digest(plain(timeline.curriculum)),
        }
        self.stage: Stage | None = None
        self.step = self.logged = -1
        self.marked = ""  # name of the latest stage whose start the loggers were told

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.stage = None
        super().on_train_start(trainer, pl_module)

    def act(self, trainer: Trainer, module: Any) -> None:
        step, self.step = trainer.global_step, trainer.global_step
        stage = self.timeline.stage_at(step)
        if stage is not self.stage:
            self.stage, module.weights = stage, dict(stage.weights)
        if step <= self.logged or (stage.name == self.marked and step % self.every):
            return
        self.logged = step
        for logger in trainer.loggers:
            logger.log_metrics(self.timeline.values_at(step), step=step)
        if stage.name != self.marked:
            self.marked = stage.name
            self._mark(trainer, stage, step)

    def _mark(self, trainer: Trainer, stage: Stage, step: int) -> None:
        """Put the boundary on TensorBoard's TEXT page, and say it, where there is more than one stage."""
        curriculum = self.timeline.curriculum
        place = f"{curriculum.index_at(step) + 1} of {len(curriculum.stages)}"
        weights = ", ".join(f"{term} {weight:g}" for term, weight in stage.weights.items())
        data = ", ".join(f"{name} {value:g}" for name, value in self.timeline.data_at(step).items())
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                told = f"step {step}: stage **{stage.name}** ({place} of {curriculum.name or 'the curriculum'}) begins"
                logger.experiment.add_text("curriculum", f"{told}; weights: {weights}; data: {data}", step)
        if trainer.is_global_zero and len(curriculum.stages) > 1:
            told = f"stage {stage.name} ({place}) begins at step {step:,} · weights: {weights} · data: {data}"
            print(printable(told), file=sys.stderr, flush=True)

    def state_dict(self) -> dict[str, Any]:
        curriculum, step = self.timeline.curriculum, max(self.step, 0)
        stage = curriculum.stage_at(step)
        return {
            **self.identity,
            "stage": curriculum.index_at(step),
            "name": stage.name,
            "step_in_stage": step - stage.first,
            "logged": self.logged,
            "marked": self.marked,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Raises ValueError when the state is of another curriculum: only a branch may change it."""
        if state_dict["digest"] != self.identity["digest"]:
            known = state_dict["curriculum"] or "another one"
            raise ValueError(f"curriculum: the state is of {known} ({state_dict['digest'][:8]}), and not of this one")
        self.logged, self.marked = int(state_dict["logged"]), str(state_dict["marked"])
