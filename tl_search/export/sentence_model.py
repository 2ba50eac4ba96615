"""The folder that `SentenceTransformer(folder)` loads: model, tokenizer, pooling and normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Window:
    """The layers that a readout takes together.

    Args:
        layers: Of the cut model.
        normed: Those of them to which the final norm is applied.
    """

    layers: Sequence[int]
    normed: Sequence[int]


def write(
    cut_model: Path,
    cut: Cut,
    extraction: Extraction,
    longest: int,
    width: int,
    folder: Path,
    readout: Map | None = None,
    window: Window | None = None,
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
        window: Of the readout; None: it takes one layer.
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
        if window is None:
            first = [
                parts.Transformer(str(cut_model), max_seq_length=longest, **read),
                parts.Pooling(width, _POOLINGS[extraction.pooling]),
                *([parts.Normalize()] if extraction.normalise else []),
            ]
        else:
            first = [_window(cut_model, window, extraction, longest)]
        modules = [*first, *([_dense(readout)] if readout else [])]
        model = SentenceTransformer(modules=modules, device="cpu", **prompts)
        model.save_pretrained(str(folder), create_model_card=False)


def _window(cut_model: Path, window: Window, extraction: Extraction, longest: int) -> Any:
    from tl_search.export.layer_window import LayerWindow

    how: dict[str, Any] = {"pooling": extraction.pooling.value, "unit": extraction.normalise}
    return LayerWindow(str(cut_model), window=window.layers, normed=window.normed, max_seq_length=longest, **how)


def _dense(readout: Map) -> Any:
    """The readout as a linear layer of sentence-transformers."""
    from sentence_transformers.sentence_transformer.modules import Dense

    weights, bias = (torch.from_numpy(part).float() for part in readout.linear)
    return Dense(weights.shape[1], len(weights), True, torch.nn.Identity(), weights, bias)


def encode(folder: Path, texts: list[str], window: bool = False) -> np.ndarray:
    """The vectors (text, width) that a folder gives to somebody who loads it.

    Args:
        window: Whether it has a `LayerWindow`, which the library imports only where it is told to trust.
    """
    from sentence_transformers import SentenceTransformer

    with quiet():
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=window)
        return model.encode(texts, show_progress_bar=False, convert_to_numpy=True)
