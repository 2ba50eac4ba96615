"""Measures what readouts add to a column's pass: fitting and applying them at every layer, over embedding the texts.

Models of random weights in Pythia's shapes read docstrings of the standard library. In every round the pass comes first
and the readouts after it, on what it gave. Prints medians of the rounds.
"""

import argparse
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench import clock, docstrings, save

from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.readout import Form, Readout
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import column_vectors
from tl_search.probe.readout import fit
from tl_search.probe.session import ProbeSession

EXTRACTION = Extraction(dtype=Dtype.float32, max_length=128)
READOUTS = [Readout(Form.standardised), Readout(Form.whitened), Readout(Form.mean), Readout(Form.joined)]
READOUTS += [Readout(Form.joined, window=window) for window in (2, 4)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["demo", "70m"])
    parser.add_argument("--fitted", type=int, default=3000, help="texts that the readouts are fitted on")
    parser.add_argument("--scored", type=int, default=7000, help="texts of the tasks")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    corpus = docstrings()
    texts = corpus[: asked.fitted + asked.scored]
    print(f"{len(texts)} texts, of which {asked.fitted} to fit on; seconds, and shares of the pass\n")
    print("| model | pass | " + " | ".join(one.name for one in READOUTS) + " |\n" + "|---" * (2 + len(READOUTS)) + "|")
    for shape in asked.shapes:
        with tempfile.TemporaryDirectory() as place, ProbeSession(ProbeConfig("cpu")) as session:
            folder = save(Path(place), shape, corpus)
            rounds = [_round(number, folder, texts, asked.fitted, session) for number in range(asked.rounds)]
        whole, *spent = map(statistics.median, zip(*rounds, strict=True))
        cells = [f"{seconds:.1f} ({seconds / whole:.1%})" for seconds in spent]
        print(f"| {shape} | {whole:.0f} | " + " | ".join(cells) + " |", flush=True)


def _round(number: int, folder: Path, texts: list[str], fitted: int, session: ProbeSession) -> list[float]:
    """Seconds of the pass, then of each readout."""
    revision = Revision(f"step{number}", number, None, f"weights{number}", "tokenizer")
    started = time.perf_counter()
    states = column_vectors(revision, folder, texts, EXTRACTION, session)
    seconds = [time.perf_counter() - started]
    return seconds + [clock(partial(_at_every_layer, readout, states, fitted), "cpu") for readout in READOUTS]


def _at_every_layer(readout: Readout, states: np.ndarray, fitted: int) -> None:
    for layer in range(len(states)):
        window = [states[one] for one in readout.layers(layer)]
        fit(readout, [one[:fitted] for one in window])(window)


if __name__ == "__main__":
    main()
