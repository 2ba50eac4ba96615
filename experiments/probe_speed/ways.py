"""Ways from a model's folder and texts to vectors (layer, text, width), mean-pooled: the probe's, and what others do.

Each begins with nothing loaded and ends with the vectors of every layer 0..L.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoTokenizer

from tl_search.plane.extraction import Dtype, Extraction, FinalNorm
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import embed_column
from tl_search.probe.session import ProbeSession
from tl_search.store.arrays import ArrayStore

BATCH = 64
HIDDEN_STATES = Extraction(FinalNorm.last_only, dtype=Dtype.float32)  # what `output_hidden_states` gives
TRUNCATED = Extraction(FinalNorm.all, dtype=Dtype.float32)  # what truncated models give


def probe(folder: Path, texts: list[str], device: str, aside: Path, extraction: Extraction = HIDDEN_STATES) -> Any:
    """One column into a store and out again, its checksums and its writing to disk included."""
    with ProbeSession(ProbeConfig(device)) as session:
        arrays = ArrayStore(aside).get(column(folder, texts, session, aside, extraction))
    assert arrays is not None
    return np.stack([arrays[name] for name in sorted(arrays)])


def column(folder: Path, texts: list[str], session: ProbeSession, aside: Path, extraction: Extraction) -> str:
    """The key of a column in the store; the session's model is used again."""
    revision = Revision(folder.name, 0, None, "weights", "tokenizer")
    return embed_column(revision, folder, texts, extraction, session, ArrayStore(aside))


def loop(folder: Path, texts: list[str], device: str, aside: Path) -> Any:
    """One padded pass for each layer, from which its hidden state is taken; batches as they come."""
    model, tokenizer = _load(folder, device)
    layers = []
    for layer in range(model.config.num_hidden_layers + 1):
        parts = []
        for batch in _batches(tokenizer, texts, device):
            states = model(**batch, output_hidden_states=True).hidden_states
            parts.append(_mean(states[layer], batch["attention_mask"]))
        layers.append(torch.cat(parts).cpu())
    return torch.stack(layers).numpy()


def one_pass(folder: Path, texts: list[str], device: str, aside: Path) -> Any:
    """One padded pass for all layers; batches as they come."""
    model, tokenizer = _load(folder, device)
    parts = []
    for batch in _batches(tokenizer, texts, device):
        states = model(**batch, output_hidden_states=True, use_cache=False).hidden_states
        parts.append(torch.stack([_mean(state, batch["attention_mask"]) for state in states]).cpu())
    return torch.cat(parts, 1).numpy()


def one_pass_sorted(folder: Path, texts: list[str], device: str, aside: Path) -> Any:
    """One padded pass for all layers; texts of like length share a batch."""
    order = np.argsort([-len(text) for text in texts], kind="stable")
    vectors = one_pass(folder, [texts[number] for number in order], device, aside)
    return vectors[:, np.argsort(order)]


def sentence_transformers(folder: Path, texts: list[str], device: str, aside: Path) -> Any:
    """`encode` of the model that ends after each layer; one of 0 blocks does not run, so layer 0 is left out."""
    from sentence_transformers import SentenceTransformer, models

    layers = []
    for layer in range(1, AutoConfig.from_pretrained(folder).num_hidden_layers + 1):
        transformer = models.Transformer(str(folder), config_kwargs={"num_hidden_layers": layer}, max_seq_length=512)
        transformer.tokenizer.pad_token = transformer.tokenizer.eos_token
        width = transformer.auto_model.config.hidden_size
        model = SentenceTransformer(modules=[transformer, models.Pooling(width)], device=device)
        layers.append(model.encode(texts, batch_size=BATCH, show_progress_bar=False))
    return np.stack(layers)


def _load(folder: Path, device: str) -> tuple[Any, Any]:
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    return AutoModel.from_pretrained(folder).eval().to(device), tokenizer


def _batches(tokenizer: Any, texts: list[str], device: str) -> Any:
    for start in range(0, len(texts), BATCH):
        part = texts[start : start + BATCH]
        yield tokenizer(part, padding=True, truncation=True, max_length=512, return_tensors="pt").to(device)


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    weight = mask[..., None].to(states.dtype)
    return (states * weight).sum(1) / weight.sum(1)
