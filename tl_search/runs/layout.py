"""The names of all files and folders in a run directory. No other module spells them."""

from dataclasses import dataclass
from pathlib import Path

from tl_search.store.keys import check_name

STATE = "state.ckpt"  # in the folder of a full training state
SETTINGS = "run.yaml"  # the run's settings, in every state and every revision

# What heals a damaged file that follows from the rest of a run, as messages say it.
REPEAT = "repeat the command that started the run, which writes it again"
HEALED_BY = f"remove it and {REPEAT}"


@dataclass(frozen=True)
class RunPaths:
    """The files and folders of one run. A training run and a search each have a part of them.

    Args:
        folder: The run directory.
    """

    folder: Path

    @property
    def record(self) -> Path:
        """The record that identifies the run (`RunRecord`)."""
        return self.folder / "run.json"

    @property
    def config(self) -> Path:
        """The resolved config with which the run was started or last continued."""
        return self.folder / "config.yaml"

    @property
    def done(self) -> Path:
        """Exists when the run is finished; only this file says so, not an exit code."""
        return self.folder / "DONE.json"

    @property
    def diverged(self) -> Path:
        """Exists when a training has ended since its loss or its weights were no longer finite."""
        return self.folder / "DIVERGED.json"

    @property
    def lock(self) -> Path:
        return self.folder / "run.lock"

    @property
    def hydra(self) -> Path:
        """The files that Hydra writes about the job."""
        return self.folder / ".hydra"

    @property
    def tensorboard(self) -> Path:
        return self.folder / "tensorboard"

    # A training run

    @property
    def revisions(self) -> Path:
        """Loadable models."""
        return self.folder / "revisions"

    def revision(self, name: str) -> Path:
        """A model's folder. Raises ValueError for a name that leads elsewhere, as those below do."""
        return self.revisions / check_name(name, "revision")

    @property
    def states(self) -> Path:
        """Full training states, the pointers to them, and the index of revisions."""
        return self.folder / "checkpoints"

    def state(self, step: int) -> Path:
        """Folder of the full state after `step` optimizer steps."""
        return self.states / f"step{step}"

    @property
    def index(self) -> Path:
        """One line per revision."""
        return self.states / "index.jsonl"

    @property
    def signed(self) -> Path:
        """Digests of the states' manifests, one line each."""
        return self.states / "states.jsonl"

    def pointer(self, name: str) -> Path:
        """The pointer to the best state by a measurement, for the callback `Best` of that name."""
        return self.states / f"{check_name(name)}.json"

    @property
    def last(self) -> Path:
        """The pointer to the newest state."""
        return self.pointer("last")

    @property
    def rewound(self) -> Path:
        """Exists while a run continues from an older state to which it was set back."""
        return self.pointer("rewound")

    @property
    def quarantine(self) -> Path:
        """Damaged files, and files of later steps of a run that was set back or shortened; nothing is deleted."""
        return self.folder / "quarantine"

    @property
    def cache(self) -> Path:
        """Tokens of the training text, where no shared cache is set."""
        return self.folder / "cache"

    # A search

    @property
    def plane(self) -> Path:
        """The plane that is searched, and its costs."""
        return self.folder / "plane.json"

    @property
    def pulls(self) -> Path:
        """The policy's decisions in order, append-only."""
        return self.folder / "pulls.jsonl"

    @property
    def bandit_state(self) -> Path:
        """A summary of the pulls: scores, costs and the policy's posterior."""
        return self.folder / "bandit_state.json"

    @property
    def result(self) -> Path:
        """The confirmed result."""
        return self.folder / "result.json"

    @property
    def scores(self) -> Path:
        """mteb's result file of every cell that the search used."""
        return self.folder / "scores"

    @property
    def metrics(self) -> Path:
        """Label-free metrics, one file per layer."""
        return self.folder / "cache" / "metrics"

    @property
    def readout_metrics(self) -> Path:
        """Label-free metrics of the chosen layer, without and with its readout."""
        return self.metrics / "readout.json"

    @property
    def readout_texts(self) -> Path:
        """The texts on which readouts are fitted."""
        return self.folder / "readout_texts.json"

    @property
    def report(self) -> Path:
        return self.folder / "report"

    @property
    def is_training(self) -> bool:
        """Whether revisions were written here."""
        return self.index.exists() or any(self.revisions.glob("step*/MANIFEST.json"))

    @property
    def is_search(self) -> bool:
        """Whether a plane is searched here."""
        return self.plane.exists()
