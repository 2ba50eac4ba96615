"""The network: a transformer that reads a spectrum's peaks and writes the peptide, residue by residue."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from tl_search.runs.pretrained import register
from tl_search.training.peptide.fragments import PROTON, WATER, Ion, series
from tl_search.training.peptide.residues import END, START, UNKNOWN
from tl_search.training.peptide.spectrum import SpectrumBatch

_HEAVIER = 1.0  # Da by which a peptide may be heavier than its precursor
_SHORTEST, _LONGEST = 0.01, 10_000.0  # Da: wavelengths of the masses' encoding
_IONS = (Ion.b, Ion.y, Ion.b2, Ion.y2)  # which the decoder looks up
_NEAR = (0.02, 0.2)  # Da, or Th; a peak at this distance from a fragment's place counts half


class SpectrumConfig(PreTrainedConfig):
    """The shape of a `SpectrumToPeptide`; `masses` are those of its tokens, in Da."""

    model_type = "tl_spectrum_to_peptide"

    def __init__(
        self,
        vocab_size: int = 24,
        width: int = 64,
        blocks: int = 2,
        heads: int = 4,
        feed_forward: int = 256,
        dropout: float = 0.0,
        max_tokens: int = 32,
        max_charge: int = 8,
        masses: Sequence[float] = (),
        **kwargs: Any,
    ) -> None:
        self.vocab_size, self.width, self.blocks, self.heads = vocab_size, width, blocks, heads
        self.feed_forward, self.dropout, self.max_tokens, self.max_charge = (
            feed_forward,
            dropout,
            max_tokens,
            max_charge,
        )
        self.masses = [float(mass) for mass in masses]
        super().__init__(**kwargs)


class SpectrumToPeptide(PreTrainedModel):
    """Pre-norm encoder over the precursor and the peaks, and a causal decoder over residues.

    Masses are numbers with seven digits, so they come in as sines and cosines of many wavelengths (Casanovo; Yilmaz et
    al., 2022, ICML). The decoder also sees, in the same form, the mass that its residues have up to each place and the
    mass that is left: where the next b and y ions would begin. And it is shown, for each residue that may follow, how
    high a peak is where that residue would put a fragment, as in PointNovo (Qiao et al., 2021, Nature Machine
    Intelligence 3). Attention finds such places by itself only after many times more spectra.
    """

    config_class = SpectrumConfig
    config: SpectrumConfig
    base_model_prefix = "model"

    def __init__(self, config: SpectrumConfig) -> None:
        super().__init__(config)
        shape: dict[str, Any] = {
            "d_model": config.width,
            "nhead": config.heads,
            "dim_feedforward": config.feed_forward,
            "dropout": config.dropout,
            "activation": "gelu",
            "batch_first": True,
            "norm_first": True,
        }
        self.place = nn.Linear(config.width, config.width)  # of an encoded mass
        self.height = nn.Linear(1, config.width)
        self.charge = nn.Embedding(config.max_charge + 1, config.width)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**shape), config.blocks, nn.LayerNorm(config.width), enable_nested_tensor=False
        )
        self.residue = nn.Embedding(config.vocab_size, config.width)
        self.position = nn.Embedding(config.max_tokens, config.width)
        self.before, self.left = nn.Linear(config.width, config.width), nn.Linear(config.width, config.width)
        self.found = nn.Linear(len(_IONS) * len(_NEAR) * config.vocab_size, config.width)
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(**shape), config.blocks, nn.LayerNorm(config.width)
        )
        self.head = nn.Linear(config.width, config.vocab_size)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Small matrices, no biases; every block on its own, where torch's transformer begins with copies of one."""
        for name, weight in module.named_parameters(recurse=False):
            if weight.dim() > 1:
                nn.init.normal_(weight, std=0.02 if isinstance(module, nn.Embedding) else weight.shape[-1] ** -0.5)
            elif isinstance(module, nn.LayerNorm) and name == "weight":
                nn.init.ones_(weight)
            else:
                nn.init.zeros_(weight)

    @property
    def masses(self) -> Tensor:
        """Mass of every token (vocabulary,) float32 in Da: no weight, so no number format makes it coarse."""
        return torch.tensor(self.config.masses, dtype=torch.float32, device=self.device)

    def forward(self, batch: SpectrumBatch) -> Tensor:
        """Logits (text, token, vocabulary), one for each token of the batch."""
        return self.decode(batch.seen, batch, *self.encode(batch))

    def encode(self, batch: SpectrumBatch) -> tuple[Tensor, Tensor]:
        """States (text, 1 + peak, width) of precursor and peaks, and where there is none (text, 1 + peak)."""
        heights = self.height(batch.intensity.sqrt()[..., None].to(self.head.weight.dtype))
        peaks = self.place(self._encoded(batch.mz)) + heights
        charge = self.charge(batch.charge.clamp(max=self.config.max_charge))
        whole = self.place(self._encoded(batch.mass)) + charge
        gone = torch.cat([torch.zeros_like(batch.charge[:, None], dtype=torch.bool), batch.intensity <= 0], 1)
        return self.encoder(torch.cat([whole[:, None], peaks], 1), src_key_padding_mask=gone), gone

    def decode(
        self, seen: Tensor, batch: SpectrumBatch, states: Tensor, gone: Tensor, found: Tensor | None = None
    ) -> Tensor:
        """Logits (text, token, vocabulary) of what follows each token that is seen (text, token).

        Args:
            found: What `_looked_up` gives, where it is known already.
        """
        count = seen.shape[1]
        before = self.masses[seen].cumsum(1)
        known = self.residue(seen) + self.position(torch.arange(count, device=seen.device))
        known = known + self.before(self._encoded(before + PROTON))
        known = known + self.left(self._encoded(batch.mass[:, None] - before - WATER))
        known = known + self.found(self._looked_up(before, batch) if found is None else found)
        later = torch.ones(count, count, dtype=torch.bool, device=seen.device).triu(1)
        return self.head(self.decoder(known, states, tgt_mask=later, memory_key_padding_mask=gone))

    def _encoded(self, mass: Tensor) -> Tensor:
        """Sines and cosines of masses in Da, with wavelengths from 0.01 to 10,000 Da: (…, width)."""
        waves = torch.logspace(
            math.log10(_SHORTEST), math.log10(_LONGEST), self.config.width // 2, dtype=torch.float32, device=mass.device
        )
        turns = mass.float()[..., None] / waves  # whole turns are dropped first: a large angle has a coarse sine
        angles = 2 * math.pi * (turns - turns.floor())
        return torch.cat([angles.sin(), angles.cos()], -1).to(self.head.weight.dtype)

    @torch.no_grad()
    def _looked_up(self, before: Tensor, batch: SpectrumBatch) -> Tensor:
        """Square root of the intensity near each fragment that a next residue would have: (text, token, feature).

        Args:
            before: Mass of the residues up to each place (text, token), in Da.
        """
        total = (batch.mass - WATER)[:, None, None]
        after = before[..., None] + self.masses
        places = torch.cat([series(after, total, ion) for ion in _IONS], -1)
        distance = (places[..., None] - batch.mz[:, None, None]).abs()
        height = batch.intensity.sqrt()[:, None, None]
        found = [(height / (1 + (distance / near).square())).amax(-1) for near in _NEAR]
        return torch.cat(found, -1).to(self.head.weight.dtype)

    @torch.no_grad()
    def write(self, batch: SpectrumBatch) -> list[list[int]]:
        """The peptides' token ids, always with the most probable next token.

        A peptide has at least one residue, and ends where it is heavier than the precursor.
        """
        states, gone = self.encode(batch)
        seen = torch.full_like(batch.tokens[:, :1], START)
        found = self._looked_up(self.masses[seen], batch)
        while seen.shape[1] <= self.config.max_tokens and not bool((seen == END).any(1).all()):
            logits = self.decode(seen, batch, states, gone, found)[:, -1].float()
            logits[:, [*range(END), *range(END + 1, UNKNOWN + 1)]] = -torch.inf
            if seen.shape[1] == 1:
                logits[:, END] = -torch.inf
            heavy = self.masses[seen].sum(1) + WATER > batch.mass + _HEAVIER
            after = torch.where(heavy | (seen == END).any(1), END, logits.argmax(-1))
            seen = torch.cat([seen, after[:, None]], 1)
            # only of the new place: the look-up is most of the work of a step
            found = torch.cat([found, self._looked_up(self.masses[seen].sum(1, keepdim=True), batch)], 1)
        rows = [row[1:] for row in seen.tolist()]
        return [row[: row.index(END)] if END in row else row for row in rows]


register(SpectrumConfig, SpectrumToPeptide)
