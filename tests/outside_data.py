"""Published data that are not part of the repository: a test that needs them is skipped where they are missing."""

import os
from pathlib import Path

import pytest


def outside(wanted: str) -> Path:
    """A file of the folder that TL_DATA names, or of a folder `data` beside the repository."""
    named = os.environ.get("TL_DATA")
    places = [Path(named)] if named else sorted(Path(__file__).parents[2].glob("*/data"))
    file = next((place / wanted for place in places if (place / wanted).exists()), None)
    if file is None:
        pytest.skip(f"no published data: set TL_DATA to the folder that holds {wanted}")
    return file
