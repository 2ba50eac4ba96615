"""What holds at a step of a training run."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.plane.horizon import Horizon
from tl_search.runs.identity import flat
from tl_search.training.optim import Phase
from tl_search.training.ordered import FROM_THE_START, Origin
from tl_search.training.stage_data import BatchForm


@dataclass(frozen=True)
class Timeline:
    """What holds at each step of one run. A step is the number of completed optimizer steps.

    Nothing else may assume that all steps have the same number of tokens.

    Args:
        horizon: The run's last step and the ends of its epochs.
        steps_per_epoch: Optimizer steps of one pass over the text.
        blocks_per_step: Blocks of text in all batches of one step, on all devices together.
        context: Predicted tokens of a block; of a spectrum, of which blocks consist in peptide sequencing, 1.
        curriculum: The stages.
        phases: Phases of the learning rate: one, and one more for each change of the run's length.
        origin: Where the order of the blocks begins.
        form: A stage's data parameters → all of them, as the task has them; None for a language model.
    """

    horizon: Horizon
    steps_per_epoch: int
    blocks_per_step: int
    context: int
    curriculum: Curriculum
    phases: tuple[Phase, ...]
    origin: Origin = FROM_THE_START
    form: Callable[[Mapping[str, Any]], Any] | None = None

    @property
    def total(self) -> int:
        """The run's last step."""
        return self.horizon.total

    def tokens_at(self, step: int) -> int:
        """Training tokens that the model has seen after `step` steps."""
        return step * self.blocks_per_step * self.context

    def stage_at(self, step: int) -> Stage:
        """The stage in which the step after `step` completed ones is trained."""
        return self.curriculum.stage_at(step)

    def values_at(self, step: int) -> dict[str, float]:
        """The stage's place among the stages, and every loss weight and data parameter, by the names of their curves.

        A term that only other stages weigh has the weight 0.
        """
        stage, stages = self.stage_at(step), self.curriculum.stages.values()
        terms = sorted({term for each in stages for term in each.weights})
        return {
            "curriculum/stage": float(self.curriculum.index_at(step)),
            **{f"curriculum/weights/{term}": float(stage.weights.get(term, 0.0)) for term in terms},
            **{f"curriculum/data/{name}": value for name, value in self.data_at(step).items()},
        }

    def data_at(self, step: int) -> dict[str, float]:
        """Every data parameter; of one that is a mapping, such as `mix`, each entry (`mix/NAME`)."""
        form = asdict(self.form_at(step))
        return {name.replace(".", "/"): float(value) for name, value in flat(form).items()}

    def form_at(self, step: int) -> Any:
        """What the batch after `step` completed steps is like."""
        data = self.stage_at(step).data
        return BatchForm.of(data, self.context) if self.form is None else self.form(data)

    def phase_at(self, step: int) -> Phase:
        """The learning rate's phase in which the step after `step` completed ones is trained: the latest that began."""
        return max((phase for phase in self.phases if phase.start <= step), key=lambda phase: phase.start)

    def facts(self, step: int) -> dict[str, Any]:
        """What manifests and the index of revisions say of a step; `epoch` counts completed epochs."""
        return {
            "name": f"step{step}",
            "step": step,
            "tokens": self.tokens_at(step),
            "epoch": self.origin.epoch_at(step, self.steps_per_epoch),
            "stage": self.stage_at(step).name,
        }
