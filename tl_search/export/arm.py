"""One arm becomes a folder that sentence-transformers loads and that gives the vectors which were searched."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from tl_search.export.check import VECTOR, check, examples
from tl_search.export.cut import cut_for, cut_for_window, save_cut
from tl_search.export.sentence_model import Window, write
from tl_search.export.tokenizer import save_tokenizer
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.readout import RAW, Readout
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import column_vectors
from tl_search.probe.loading import load_model, load_tokenizer
from tl_search.probe.module import Probe
from tl_search.probe.quiet import quiet
from tl_search.probe.readout import fit
from tl_search.probe.session import ProbeSession
from tl_search.runs.model_files import first_line
from tl_search.store.atomic import write_dir, write_text

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        folder: Where.
        blocks: How many blocks it has.
        whole: How many the searched model has.
        apart: How far its vectors are from the probe's, relative to the longest of them.
    """

    folder: Path
    blocks: int
    whole: int
    apart: float


def is_export(folder: Path) -> bool:
    """Whether a folder was written by `export`, and so may be replaced."""
    return (folder / VECTOR).is_file() and (folder / "modules.json").is_file()


def export(
    source: Path,
    revision: Revision,
    layer: int,
    extraction: Extraction,
    card: str,
    to: Path,
    readout: Readout = RAW,
    texts: Sequence[str] = (),
) -> Exported:
    """Write the folder; nothing is left of it where it would not give the probe's vectors.

    Weights are written in float32, in which the two are compared, whatever precision the arm was searched in.

    Args:
        source: The revision's folder.
        revision: What is exported.
        layer: Of it, 0..L.
        extraction: With which it was searched.
        card: The model card, README.md.
        to: Replaced where it exists.
        readout: Of the arm.
        texts: On which the readout was fitted. It is fitted again, since the arm may have been searched in a shorter
            dtype.

    Raises:
        ValueError: the arm cannot be exported, and why.
    """
    exact = replace(extraction, dtype=Dtype.float32)
    probe = Probe(load_model(source, torch.float32), exact)
    if layer not in probe.every_layer:
        raise ValueError(f"arm: must have a layer of 0..{probe.every_layer[-1]}, got {layer}")
    whole, longest = len(probe.anatomy.blocks), min(exact.max_length, probe.position_limit or exact.max_length)
    compared, fitted = examples(longest), None
    layers = readout.layers(layer)
    with ProbeSession(ProbeConfig("cpu")) as session:
        states = column_vectors(revision, source, compared, exact, session)
        expected = states[layer]
        if not readout.is_raw:
            known = column_vectors(revision, source, texts, exact, session)
            fitted = fit(readout, [known[one] for one in layers])
            expected = fitted([states[one] for one in layers])
    window = None
    if readout.form.of_window:
        window = Window(layers, tuple(one for one in layers if probe.anatomy.normed(one, exact.final_norm)))
        cut = cut_for_window(layers)
    else:
        cut = cut_for(layer, probe.model, probe.anatomy, exact.final_norm)
    with tempfile.TemporaryDirectory(prefix="tl-export-") as aside, write_dir(to) as folder:
        try:
            with quiet():
                save_cut(probe.model, probe.anatomy, cut, Path(aside))
            save_tokenizer(load_tokenizer(source), exact, Path(aside))
            write(Path(aside), cut, exact, longest, probe.width, folder, fitted, window)
            apart = check(folder, expected, compared, window is not None)
        except ValueError:
            raise
        except Exception as error:  # of the libraries that build the model from what was written
            raise ValueError(
                f"arm: {revision.name}/layer {layer} cannot be exported ({type(error).__name__}: {first_line(error)})"
            ) from error
        write_text(folder / "README.md", card)
        mode = (folder / "README.md").stat().st_mode
        for file in folder.rglob("*.safetensors"):  # which the library lets nobody else read
            file.chmod(mode)
    return Exported(to, cut.blocks, whole, apart)
