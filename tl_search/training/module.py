"""The Lightning modules: losses, gradients and optimizer. When something is saved or measured is up to callbacks."""

import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from transformers import PreTrainedModel

from tl_search.training.losses.next_token import loss as next_token
from tl_search.training.optim import OptimizerConfig
from tl_search.training.task import LANGUAGE
from tl_search.training.terms import loss_term
from tl_search.training.timeline import Timeline


class Trained(LightningModule):
    """A model under the loss terms that the current stage weighs. What a batch is, a subclass for each task says.

    Args:
        model: The network, which revisions hold.
        timeline: The loss terms of all stages, and the learning rate's phase at each step.
        task: Whose loss terms they are.
    """

    def __init__(self, model: PreTrainedModel, timeline: Timeline, optimizer: OptimizerConfig, task: str) -> None:
        super().__init__()
        self.model, self.timeline, self.optimizer = model, timeline, optimizer
        stages = timeline.curriculum.stages.values()
        own = timeline.curriculum.terms
        self.terms = {name: own.get(name) or loss_term(name, task) for stage in stages for name in stage.weights}
        self.encoding = {name for name, term in self.terms.items() if "encode" in inspect.signature(term).parameters}
        self.weights: Mapping[str, float] = {}  # of the present stage, which the callback CurriculumStages sets
        self.grad_norm: Tensor | None = None  # of the latest step, before clipping; left on the device

    def weighted(self, *arguments: Any, encode: Callable[..., Tensor] | None = None) -> dict[str, Tensor]:
        """The weighted sum of the stage's terms as `loss`, and each term by its name; scalars.

        Args:
            arguments: What every term is given.
            encode: What those terms are given too that have a parameter of this name.
        """
        more = {name: {"encode": encode} for name in self.encoding}
        weighed = [name for name, weight in self.weights.items() if weight > 0]
        terms = {name: self.terms[name](*arguments, **more.get(name, {})) for name in weighed}
        loss = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        return {"loss": loss, **{name: term.detach() for name, term in terms.items()}}

    def on_train_start(self) -> None:
        """Sets the learning rate anew: a restored optimizer has the one planned when it was saved."""
        rate: Any = self.lr_schedulers()
        for group, highest, share in zip(rate.optimizer.param_groups, rate.base_lrs, rate.lr_lambdas, strict=True):
            group["lr"] = highest * share(rate.last_epoch)

    @abstractmethod
    def held_out_loss(self, batch: Any) -> Tensor:
        """The eval loss of a batch, in nats per token; the same in all stages."""

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.held_out_loss(batch)

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clips as the Trainer is told to, and keeps the norm for the logs, so that it is computed only once."""
        if gradient_clip_algorithm == "value":
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        else:
            limit = float("inf") if gradient_clip_val is None else gradient_clip_val
            self.grad_norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)

    def configure_optimizers(self) -> Any:
        """The optimizer, with a learning rate that follows the step."""
        optimizer, rate = self.optimizer.build(self.model, self.timeline.phase_at)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}


class CausalLM(Trained):
    """A causal language model: a transformers model with a language-model head."""

    def __init__(self, model: PreTrainedModel, timeline: Timeline, optimizer: OptimizerConfig) -> None:
        super().__init__(model, timeline, optimizer, LANGUAGE)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (text, token, vocabulary) of tokens (text, token)."""
        return self.model(input_ids=tokens, use_cache=False).logits

    def training_step(self, batch: Tensor, batch_idx: int) -> dict[str, Tensor]:
        """The weighted sum of the stage's terms as `loss`, and each term by its name; scalars.

        Args:
            batch: (text, length + 1) tokens: every token but the first is a target. With noise (2, text, length + 1):
                what the model sees, and the text as it is.
        """
        seen, text = batch if batch.dim() == 3 else (batch, batch)
        logits, targets = self(seen[:, :-1]), text[:, 1:]
        return self.weighted(logits, targets, encode=self.encode)

    def encode(self, tokens: Tensor, layer: int | None = None) -> Tensor:
        """States (text, token, width) of tokens (text, token) after a layer, in a pass of their own.

        Args:
            layer: 0 is the token embeddings, l is after block l; None is the last one, which has the final norm.
        """
        body = self.model.base_model  # without the head: logits are not needed
        states = body(input_ids=tokens, use_cache=False, output_hidden_states=True).hidden_states
        return states[-1 if layer is None else layer]

    def held_out_loss(self, batch: Tensor) -> Tensor:
        """Cross-entropy of the next token in nats, of (text, length + 1) tokens; the same in all stages."""
        logits, targets = self(batch[:, :-1]), batch[:, 1:]
        # text by text, so that the logits stay in the cache: it saves a fifth of the time of a small model's evaluation
        texts = zip(logits.split(1), targets.split(1), strict=True)
        return torch.stack([next_token(*text) for text in texts]).mean()
