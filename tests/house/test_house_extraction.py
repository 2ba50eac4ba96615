"""The presets of an extraction are what they are named after, value by value: a changed one would be another arm."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tl_search.cli.config.build import build
from tl_search.plane.extraction import BeginToken, Dtype, Extraction, FinalNorm, Pooling

PRESETS = Path(__file__).resolve().parents[2] / "conf" / "extraction"
PLAIN = {"pooling": Pooling.mean, "normalise": False, "prompt": "", "begin": BeginToken.tokenizer}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("default", Extraction(**PLAIN, final_norm=FinalNorm.all, max_length=512, dtype=Dtype.auto)),
        ("hf", Extraction(**PLAIN, final_norm=FinalNorm.last_only, max_length=512, dtype=Dtype.auto)),
        ("paper", Extraction(**PLAIN, final_norm=FinalNorm.all, max_length=2048, dtype=Dtype.bfloat16)),
    ],
)
def test_a_preset_is_what_it_is_named_after(name, expected):
    assert build(OmegaConf.create({"extraction": OmegaConf.load(PRESETS / f"{name}.yaml")}))["extraction"] == expected


def test_every_preset_is_pinned():
    assert {path.stem for path in PRESETS.glob("*.yaml")} == {"default", "hf", "paper"}
