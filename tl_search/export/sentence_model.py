"""The folder that `SentenceTransformer(folder)` loads: model, tokenizer, pooling and normalisation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tl_search.export.cut import Cut
from tl_search.plane.extraction import Extraction, Pooling
from tl_search.probe.quiet import quiet
from tl_search.probe.readout import Map

# Our name of a pooling → that of sentence-transformers.
_POOLINGS = {
    Pooling.mean: "mean",
    Pooling.last: "lasttoken",
    Pooling.cls: "cls",
    Pooling.max: "max",
    Pooling.weighted_mean: "weightedmean",
}


def write(
    cut_model: Path,
    cut: Cut,
    extraction: Extraction,
    longest: int,
    width: int,
    folder: Path,
    readout: Map | None = None,
) -> None:
    """Write the folder.

    Args:
        cut_model: A folder with the cut model and its tokenizer.
        cut: Where the arm's states are found in it.
        extraction: Its `pooling`, `normalise` and `prompt` are used.
        longest: Tokens that a text may have; what follows is cut off.
        width: Of a state of the model.
        folder: Exists and is empty.
        readout: What is done with a vector; None: nothing.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as parts

    read: dict[str, Any] = {}
    if cut.index is not None:
        text = {"method": "forward", "method_output_name": ["hidden_states", cut.index]}
        read = {"modality_config": {"text": text}, "module_output_name": "token_embeddings"}
    prompts: dict[str, Any] = {}
    if extraction.prompt:
        prompts = {"prompts": {"text": extraction.prompt}, "default_prompt_name": "text"}
    with quiet():
        modules = [
            parts.Transformer(str(cut_model), max_seq_length=longest, **read),
            parts.Pooling(width, _POOLINGS[extraction.pooling]),
            *([parts.Normalize()] if extraction.normalise else []),
            *([_dense(readout)] if readout else []),
        ]
        model = SentenceTransformer(modules=modules, device="cpu", **prompts)
        model.save_pretrained(str(folder), create_model_card=False)


def _dense(readout: Map) -> Any:
    """The readout as a linear layer of sentence-transformers."""
    from sentence_transformers.sentence_transformer.modules import Dense

    weights, bias = (torch.from_numpy(part).float() for part in readout.linear)
    return Dense(weights.shape[1], len(weights), True, torch.nn.Identity(), weights, bias)


def encode(folder: Path, texts: list[str]) -> np.ndarray:
    """The vectors (text, width) that a folder gives to somebody who loads it."""
    from sentence_transformers import SentenceTransformer

    with quiet():
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        return model.encode(texts, show_progress_bar=False, convert_to_numpy=True)
