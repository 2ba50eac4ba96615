"""What is installed works without the checkout: configs inside the package, examples by `tl init`."""

import os
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """`bin/` of an environment that holds our wheel and sees this one's libraries."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    (target,) = (folder / "env").glob("lib/python*/site-packages")
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    (target / "libraries.pth").write_text("\n".join(sorted(libraries)))
    run(sys.executable, "-m", "pip", "--python", folder / "env" / "bin" / "python", "install", "-q", "--no-deps",
        "--no-index", "--ignore-installed", wheel)  # fmt: skip
    return folder / "env" / "bin"


def run(*words, cwd=None):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_installed_tl_composes_from_inside_the_package_and_brings_its_examples(installed, tmp_path):
    where = run(installed / "python", "-c", "import tl_search; print(tl_search.__file__)", cwd=tmp_path)
    assert str(installed.parent) in where
    assert "ucb*" in run(installed / "tl", "search", "--help", cwd=tmp_path)
    run(installed / "tl", "init", "mine", cwd=tmp_path)
    assert (tmp_path / "mine" / "launchers" / "slurm.yaml").read_text() == (ROOT / "launchers/slurm.yaml").read_text()
    words = ("run", "experiments=quickstart/run", "launchers=slurm", "--cfg", "job")
    shown = run(installed / "tl", *words, cwd=tmp_path / "mine")
    assert "tl_search.bandits.ucb.UCB" in shown
    again = subprocess.run([installed / "tl", "init", "mine"], cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 2
    assert "exists already" in again.stderr
