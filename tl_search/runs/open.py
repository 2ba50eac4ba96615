"""A run directory from Python: what it is, what it found, and its models. Public as `tl_search.open_run`."""

import logging
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.errors.nearest import no_folder, suggest
from tl_search.plane.arm_name import ArmName
from tl_search.plane.readout import RAW
from tl_search.plane.revision import Revision
from tl_search.runs.digests import COPY
from tl_search.runs.index import read_index
from tl_search.runs.layout import HEALED_BY, REPEAT, RunPaths
from tl_search.runs.measured import MeasuredReadout
from tl_search.runs.model_files import check_files
from tl_search.runs.outcome import Outcome
from tl_search.runs.pulls import BanditState
from tl_search.runs.record import Done, RunRecord
from tl_search.runs.searched_plane import SearchedPlane
from tl_search.runs.settings import read_settings
from tl_search.store.keys import safe_name
from tl_search.store.typed_json import fitting, reading

if TYPE_CHECKING:
    from pandas import DataFrame
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)


def open_run(path: str | Path) -> "Run":
    """The run in a directory that `tl train`, `tl search` or `tl run` has made; reads only, and only when asked.

    Raises:
        ValueError: there is no such folder, or it is no run.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ValueError(no_folder(folder))
    paths = RunPaths(folder)
    if not (paths.is_search or paths.is_training):
        raise ValueError(f"{folder}: not a run: it has neither plane.json (a search) nor checkpoints/index.jsonl")
    return Run(folder)


@dataclass(frozen=True)
class Run:
    """A run, finished or not. What it has not written yet is None or empty.

    Args:
        folder: The run directory.

    Example:
        >>> run = open_run("runs/search/NAME")                       # doctest: +SKIP
        >>> run.result.best.arm                                      # doctest: +SKIP
        ArmName(revision='step1300', layer=5)
    """

    folder: Path

    @property
    def record(self) -> RunRecord | None:
        """Who the run is: command, settings' digest, seed, versions."""
        return RunRecord.read(self.folder)

    @property
    def done(self) -> Done | None:
        """How it ended; None while it has not."""
        return Done.read(self.folder)

    @cached_property
    def plane(self) -> SearchedPlane | None:
        """What was searched; None for a training run."""
        return SearchedPlane.read(self.folder) if RunPaths(self.folder).is_search else None

    @property
    def result(self) -> Outcome | None:
        """The confirmed answer of a search; None while there is none."""
        return Outcome.read(self.folder)

    @property
    def revisions(self) -> tuple[Revision, ...]:
        """Those that a training has written, or those of a search's plane, by rising step."""
        return self.plane.revisions if self.plane else tuple(line.revision for line in read_index(self.folder))

    def scores(self) -> "DataFrame":
        """One row per cell that a search used: model, revision, step, layer, readout, task, split, score (0..100).

        Cells that were scored on a share of their items (`tasks.items`) are not there: `pulls` has what they told.
        Files of arms that are not on the plane are left out, with a warning.

        Raises:
            ValueError: it is no search, or a file is damaged.
        """
        from pandas import DataFrame

        plane, place = self._searched(), RunPaths(self.folder).scores
        names = {safe_name(revision.name): revision for revision in plane.revisions}
        rows, strangers = [], []
        for path in sorted(place.glob("*/*/layer_*/*/*.json")):
            _, revision, layer, _, _ = path.relative_to(place).parts
            arm = _arm(layer, names.get(revision))
            if arm is None or arm not in plane:
                strangers.append(path.relative_to(place))
                continue
            with reading(path, f"remove {place} and {REPEAT}") as value:
                ((split, (first, *_)),) = value["scores"].items()
                cell = (value["task_name"], split, 100 * float(first["main_score"]))
                rows.append((plane.model, arm.revision, names[revision].step, arm.layer, arm.readout, *cell))
        if strangers:
            log.warning(
                "%s: scores of arms that are not on the plane: %d, as in %s", place, len(strangers), strangers[0]
            )
        columns = ["model", "revision", "step", "layer", "readout", "task", "split", "score"]
        return DataFrame(rows, columns=columns)

    def pulls(self) -> "DataFrame":
        """One row per decision of a search, in order.

        Columns: t, revision, layer, tasks, scores (by task, points), load, embed, score (seconds of the cost table),
        spent (seconds so far), share (of the exhaustive cost), and what the policy recommended after it:
        recommended_revision, recommended_layer, mean, sd (points).

        Raises:
            ValueError: it is no search, or has not decided anything yet.
        """
        from pandas import DataFrame

        self._searched()
        return DataFrame(
            {
                "t": step.t,
                **step.arm._asdict(),
                "tasks": step.tasks,
                "scores": dict(step.scores),
                **asdict(step.cost),
                "spent": step.spent,
                "share": step.share,
                **{f"recommended_{key}": value for key, value in step.recommended.arm._asdict().items()},
                "mean": step.recommended.mean,
                "sd": step.recommended.sd,
            }
            for step in BanditState.read(self.folder).trajectory
        )

    def readout_metrics(self) -> "DataFrame":
        """One row per label-free metric of the chosen layer: metric, and its value `raw` and under the `readout`.

        Both are of the same training texts, which no fit used. No rows where the search has measured none, where the
        chosen arm is raw, or where too few texts are left.

        Raises:
            ValueError: it is no search, or the file is damaged.
        """
        from pandas import DataFrame

        self._searched()
        found = MeasuredReadout.read(self.folder)
        rows = [(name, raw, found.under[name]) for name, raw in found.raw.items()] if found else []
        return DataFrame(rows, columns=["metric", "raw", "readout"])

    def load(self, revision: str = "main") -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
        """The model (without a language-model head) and the tokenizer of a revision, as `transformers` loads them.

        Args:
            revision: `step1000`, or `best` and `main` of a training run. For a search, of the run or the folder of
                models that it searched; models of the Hub come from its cache, or are downloaded.

        Raises:
            ValueError: there is no such revision, or the searched models are not where they were.
        """
        from tl_search.runs.pretrained import load_model, load_tokenizer

        where = self._where(revision)
        if isinstance(folder := where["source"], Path):
            check_files(folder)
        try:
            return load_model(**where), load_tokenizer(**where)
        except Exception as error:  # the library builds what the files say, so it can be anything
            place = where["source"]
            raise ValueError(f"{place}: does not load as a transformers model ({error}); {COPY}") from error

    def _where(self, name: str) -> dict[str, Any]:
        """Where transformers finds a revision."""
        paths = RunPaths(self.folder)
        if paths.is_training:
            return _local(paths.revisions, name)
        said = read_settings(self.folder)
        with fitting(paths.config, HEALED_BY):
            source = said["checkpoints"]
            if "path" not in source:
                (model,) = source["models"]
                repository = model if "/" in model else f"{source['organisation']}/{model}"
                return {"source": repository, "revision": name, "cache_dir": source.get("cache")}
        models = RunPaths(Path(source["path"]))
        if not models.folder.is_dir():
            raise ValueError(f"{self.folder}: searched {models.folder}, and {no_folder(models.folder)}")
        return _local(models.revisions if models.is_training else models.folder, name)

    def _searched(self) -> SearchedPlane:
        if self.plane is None:
            raise ValueError(f"{self.folder}: a training run; scores and pulls are those of a search")
        return self.plane


def _arm(layer: str, revision: Revision | None) -> ArmName | None:
    """The arm whose scores lie in a folder such as `layer_005` or `layer_005-whitened`; None if it can be none."""
    found = re.fullmatch(r"layer_(\d{3,6})(?:-(.+))?", layer)
    return None if found is None or revision is None else ArmName(revision.name, int(found[1]), found[2] or RAW.name)


def _local(folder: Path, name: str) -> dict[str, Any]:
    names = [path.name for path in folder.iterdir() if (path / "config.json").is_file()]
    if name not in names:
        raise ValueError(f"{folder}: has no revision {name!r}{suggest(name, names)}")
    return {"source": folder / name, "local_files_only": True}
