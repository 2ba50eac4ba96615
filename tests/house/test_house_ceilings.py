"""Every number of a config has a ceiling: none is believed that would only end hours later, without memory or disk."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf, open_dict

from tl_search.cli import commands
from tl_search.cli.config.allowlist import walk
from tl_search.cli.config.build import build
from tl_search.cli.config.compose import compose_job, configs
from tl_search.cli.config.preflight import check
from tl_search.errors.kinds import BadInput

ROOT = Path(__file__).resolve().parents[2]
HUGE = {int: 10**18, float: 1e300}
TRAIN = ["train", "data=files", f"data.corpus.path={ROOT / 'README.md'}"]
SEARCH = ["search", f"checkpoints.path={ROOT}"]
JOBS = {
    "training": [*TRAIN, "tokenizer=trained", "callbacks=live_all"],
    "other schedule": [*TRAIN, "schedule=every", "curriculum=two_stage"],
    "search": [*SEARCH, "metrics=all", "bandit=ts"],
    "other search": [*SEARCH, "bandit=ucb", "sampling=uniform"],
    "Hub": ["search", "checkpoints=hub"],
}
PLANNED = ("trainer", "eval_interval", "seed")  # what a plan checks, and not a class
INTERPOLATED = ["ledger", "embeddings", "runs", "cache"]  # what others look up


@pytest.mark.slow_but_one
@pytest.mark.parametrize("job", JOBS)
def test_a_huge_number_is_refused_wherever_it_stands(job):
    command, *words = JOBS[job]
    with configs():
        composed = compose_job(command, words)
        tree = OmegaConf.to_container(composed, resolve=False)
        settings = [(f"{path}.{key}".lstrip("."), value) for path, key, value in walk(tree)]
        numbers = [(path, HUGE[type(value)]) for path, value in settings if type(value) in HUGE]
        numbers = [(path, huge) for path, huge in numbers if not path.startswith("hydra.")]
        assert len(numbers) > 20
        for path, huge in numbers:
            room = path.partition(".")[0]
            whole = room in PLANNED
            config = composed.copy() if whole else OmegaConf.masked_copy(composed, [room, *INTERPOLATED])
            with open_dict(config):
                OmegaConf.update(config, path, huge)
            with pytest.raises(BadInput, match=rf"^{path.rpartition('.')[0]}.*{path.rpartition('.')[2]}: must be "):
                check(commands.find(command), config) if whole else build(config)
