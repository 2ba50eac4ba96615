"""The tokenizer of an arm: it begins texts as the extraction says, and can pad batches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tl_search.plane.extraction import BeginToken, Extraction
from tl_search.probe.tokens import begins_by_itself


def save_tokenizer(tokenizer: Any, extraction: Extraction, folder: Path) -> None:
    """Write the tokenizer into a folder, so that it gives the ids that the probe had.

    Args:
        tokenizer: Of transformers. It is changed.
        extraction: Its `begin` and `max_length` are used.

    Raises:
        ValueError: the tokenizer cannot be made to begin texts in that way.
    """
    own = begins_by_itself(tokenizer)
    if extraction.begin is BeginToken.always and not own:
        _edit(tokenizer, extraction, add=True)
    if extraction.begin is BeginToken.never and own:
        _edit(tokenizer, extraction, add=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)  # masked, so any will do
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    tokenizer.save_pretrained(folder)


def _edit(tokenizer: Any, extraction: Extraction, add: bool) -> None:
    """Put the BOS into the template of a text, or take it out."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(_cannot(tokenizer, extraction))
    from tokenizers import Tokenizer, processors

    bos = tokenizer.bos_token or tokenizer.cls_token
    if add:
        identity = tokenizer.convert_tokens_to_ids(bos)
        begin = processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A $B", special_tokens=[(bos, identity)])
        before = backend.post_processor
        backend.post_processor = begin if before is None else processors.Sequence([before, begin])
        return
    whole = json.loads(backend.to_str())
    if not _without(whole["post_processor"], bos):
        raise ValueError(_cannot(tokenizer, extraction))
    backend.post_processor = Tokenizer.from_str(json.dumps(whole)).post_processor


def _without(processor: Any, bos: str) -> bool:
    """Take the BOS out of the template at which a processor, or one in a list of processors, begins with it."""
    if not isinstance(processor, dict):
        return False
    single = processor.get("single")
    if isinstance(single, list) and single and single[0].get("SpecialToken", {}).get("id") == bos:
        del single[0]
        return True
    return any(_without(part, bos) for part in processor.get("processors", ()))


def _cannot(tokenizer: Any, extraction: Extraction) -> str:
    return (
        f"arm: its texts were embedded with extraction.begin={extraction.begin.value}; a {type(tokenizer).__name__} "
        "cannot be saved so that it does the same"
    )
