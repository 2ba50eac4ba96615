"""What the experiments share: models that are given or have random weights in Pythia's shapes, texts, fair rounds.

The scripts are run by their path, so each puts this folder on its own path first.
"""

import ast
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers

from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.checkpoints.run import RunCheckpoints
from tl_search.checkpoints.source import LocalCheckpoints
from tl_search.runs.layout import RunPaths
from tl_search.text.stdlib import modules

SHAPES = {  # blocks, width, heads
    "demo": (6, 96, 4),
    "14m": (6, 128, 4),
    "70m": (6, 512, 8),
    "410m": (24, 1024, 16),
}


def checkpoints_at(place: Path) -> LocalCheckpoints:
    """Those of a training run, or of a folder of models named by their steps."""
    return (RunCheckpoints if RunPaths(place).is_training else FolderCheckpoints)(str(place))


def docstrings() -> list[str]:
    """Those of the standard library's modules, classes and functions, each once."""
    found: dict[str, None] = {}
    for module in modules():
        for node in ast.walk(ast.parse(module.path.read_bytes())):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                found[ast.get_docstring(node) or ""] = None
    return [text for text in found if text]


def save(folder: Path, shape: str, corpus: list[str]) -> Path:
    """A folder with random weights and a tokenizer trained on the corpus; 50,304 tokens in the model, as Pythia has."""
    blocks, width, heads = SHAPES[shape]
    config = transformers.GPTNeoXConfig(
        vocab_size=50304, hidden_size=width, num_hidden_layers=blocks, num_attention_heads=heads,
        intermediate_size=4 * width, rotary_pct=0.25, max_position_embeddings=2048,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.GPTNeoXModel(config).save_pretrained(folder)
    tokenizer = tokenizers.ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(corpus, vocab_size=16000, special_tokens=["<|endoftext|>"], show_progress=False)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer._tokenizer, eos_token="<|endoftext|>", bos_token="<|endoftext|>"
    ).save_pretrained(folder)
    return folder


def clock(job: Callable[[], Any], device: str) -> float:
    """Seconds that the job takes, its work on the device included."""
    started = time.perf_counter()
    job()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def interleaved(jobs: dict[str, Callable[[], Any]], rounds: int, device: str) -> dict[str, list[float]]:
    """Seconds of every job in every round; in a round each runs once, in turning order, so that drift hits all."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    names = list(jobs)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            seconds[name].append(clock(jobs[name], device))
    return seconds
