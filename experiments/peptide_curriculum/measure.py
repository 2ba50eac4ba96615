"""Measures the arms of the A/B and the mass-only baseline on the same spectra, with paired differences over the seeds.

    python experiments/peptide_curriculum/measure.py RUN [RUN ...] [--annotated FILE.mgf]

The runs are branches of one base; the first one's curriculum is the reference. Everything is measured on the last model
of each run, as `tl train` measures it.
"""

import argparse
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from mass_only import MassOnly

from tl_search.cli.config.build import build
from tl_search.cli.config.recorded import read
from tl_search.report.paired import difference
from tl_search.runs.layout import RunPaths
from tl_search.training.peptide.evaluation import evaluated
from tl_search.training.peptide.metrics import quality, token_hits
from tl_search.training.peptide.module import PeptideSequencer
from tl_search.training.peptide.network import SpectrumToPeptide
from tl_search.training.peptide.spectrum import Spectrum, batch_of
from tl_search.training.peptide.task import PeptideTask

MEASURES = ("token_accuracy", "peptide_accuracy", "aa_precision", "aa_recall")
BATCH = 64


class Measured(PeptideSequencer):
    """A trained network that is only asked: it has no curriculum and no optimizer."""

    def __init__(self, model: SpectrumToPeptide) -> None:
        torch.nn.Module.__init__(self)
        self.model = model.eval()


def of_mass_alone(baseline: MassOnly, spectra: tuple[Spectrum, ...]) -> dict[str, float]:
    """The measurements of the baseline."""
    masses = baseline.masses
    pairs = [(one, baseline.tokens_after(one.peptide, one.mass)) for one in spectra]
    hits = [token_hits(found, np.append(one.peptide, 2), masses) for one, found in pairs]
    found = quality(
        [one.peptide for one in spectra],
        [baseline.written(one.mass) for one in spectra],
        [one.mass for one in spectra],
        masses,
    )
    return {"token_accuracy": float(np.concatenate(hits).mean()), **asdict(found)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--annotated", help="annotated spectra (MGF or mzML) that are measured too")
    given = parser.parse_args()
    parts = build(read(given.runs[0]))
    residues, context = parts["tokenizer"], parts["model"].context
    data = replace(parts["data"], annotated=given.annotated)
    packed = data.pack(residues, Path(), None, context)
    print(*packed.told, *packed.warned, sep="\n")
    sets = packed.sets
    found: dict[str, dict[int, dict[str, Mapping[str, float]]]] = {}
    for run in given.runs:
        settings = read(run)
        module = Measured(PeptideTask().load(RunPaths(run).revision("main")))
        with torch.no_grad():
            measured = {
                name: evaluated(
                    module, [batch_of(s[at : at + BATCH]) for at in range(0, len(s), BATCH)], residues.masses()
                )
                for name, s in sets.items()
            }
        found.setdefault(str(settings.curriculum.name), {})[int(settings.seed)] = measured
    for name, spectra in sets.items():
        print(f"\n{name}: {len(spectra)} spectra")
        longest = data.max_length if name != "annotated" else max(len(one.peptide) for one in spectra)
        shortest = data.min_length if name != "annotated" else min(len(one.peptide) for one in spectra)
        alone = of_mass_alone(MassOnly(residues, shortest, longest), spectra)
        print(f"| | {' | '.join(MEASURES)} |\n|---|{'---|' * len(MEASURES)}")
        print(f"| mass only | {' | '.join(f'{100 * alone[what]:.1f}' for what in MEASURES)} |")
        for arm, seeds in found.items():
            values = {what: [100 * seeds[seed][name][what] for seed in sorted(seeds)] for what in MEASURES}
            print(f"| {arm} | {' | '.join(f'{np.mean(v):.1f} ± {np.std(v, ddof=1):.1f}' for v in values.values())} |")
        reference, *others = found
        for arm in others:
            both = sorted(found[arm].keys() & found[reference].keys())
            for what in MEASURES:
                gap = difference(*([100 * found[side][seed][name][what] for seed in both] for side in (arm, reference)))
                low, high = gap.student or (float("nan"), float("nan"))
                said = "shown" if gap.shown else "no difference shown"
                print(
                    f"{arm} − {reference}, {what}: {gap.mean:+.2f} ({low:+.2f} to {high:+.2f}), "
                    f"{gap.seeds} seeds: {said}"
                )


if __name__ == "__main__":
    main()
