"""A column's metrics come from the embeddings' own pass; settings that make no sense are refused in one sentence."""

from dataclasses import replace

import pytest
import torch
from probe.known_metrics import OPTIONS
from probe.tiny_models import hidden_states, make
from safetensors.torch import load_file, save_file

from tl_search.plane.extraction import Dtype, Extraction, FinalNorm
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import NonFiniteError, column_vectors
from tl_search.probe.measuring import prompts
from tl_search.probe.measuring.column import measure_column
from tl_search.probe.measuring.config import MetricsConfig
from tl_search.probe.measuring.views import noisy_views
from tl_search.probe.metrics.curvature import Curvature
from tl_search.probe.metrics.dataset_entropy import DatasetEntropy
from tl_search.probe.metrics.prompt_entropy import PromptEntropy
from tl_search.probe.observers import Once
from tl_search.probe.session import ProbeSession

CPU = ProbeConfig("cpu", tokens_per_batch=40)
RAW = Extraction(dtype=Dtype.float32, final_norm=FinalNorm.last_only)
TEXTS = ["hello there", "a text", "another one", "no", "hello again", "texts of many lengths"]
REVISION = Revision("step7", 7, None, "w", "t")
EVERY = MetricsConfig(prompts_share=1.0, measures={name: {} for name in OPTIONS})


@pytest.mark.parametrize("family", ["gpt_neox", "mamba"], ids=["packed", "padded"])
def test_tokens_are_those_of_the_model_at_every_layer(tmp_path, family):
    folder = make(tmp_path, family)
    measured = measure_column(REVISION, folder, TEXTS, RAW, ProbeSession(CPU), EVERY).layers
    states = [hidden_states(folder, text) for text in TEXTS]
    assert len(measured) == len(states[0])
    for layer, found in enumerate(measured):
        prompts = [text[layer] for text in states]
        bends = torch.stack([Curvature().measure(prompt) for prompt in prompts])
        assert found["prompt_entropy"] == pytest.approx(
            sum(map(PromptEntropy().measure, prompts)).item() / len(TEXTS), abs=1e-4
        )
        assert found["curvature"] == pytest.approx(bends.nanmean().item(), abs=1e-4)
        pooled = torch.stack([prompt.mean(0) for prompt in prompts])
        assert found["dataset_entropy"] == pytest.approx(DatasetEntropy().measure(pooled).item(), abs=1e-4)
        assert found.keys() == OPTIONS.keys()


def test_prompts_are_the_first_of_the_corpus(tmp_path):
    folder = make(tmp_path)
    few = MetricsConfig(measures={"prompt_entropy": {}, "rankme": {}}, prompts=2)
    some = measure_column(REVISION, folder, TEXTS, RAW, ProbeSession(CPU), few).layers
    first = measure_column(REVISION, folder, TEXTS[:2], RAW, ProbeSession(CPU), few).layers
    for ours, theirs in zip(some, first, strict=True):
        assert ours["prompt_entropy"] == pytest.approx(theirs["prompt_entropy"], abs=1e-5)
        assert ours["rankme"] > theirs["rankme"]


def test_prompts_are_a_share_of_the_corpus_but_not_too_few():
    assert MetricsConfig().prompts_of(576) == 58
    assert MetricsConfig().prompts_of(10_000) == 64
    assert MetricsConfig(prompts=None).prompts_of(10_000) == 1000
    assert MetricsConfig().prompts_of(30) == 4
    assert MetricsConfig().prompts_of(3) == 3
    assert MetricsConfig(prompts=2).prompts_of(40) == 2


@pytest.mark.parametrize("family", ["gpt_neox", "mamba"], ids=["packed", "padded"])
def test_prompts_that_wait_for_others_give_what_each_gives_alone(tmp_path, monkeypatch, family):
    folder, config = (
        make(tmp_path, family),
        MetricsConfig(measures={"prompt_entropy": {"normalisation": "max"}, "curvature": {}}),
    )
    together = measure_column(REVISION, folder, TEXTS, RAW, ProbeSession(CPU), config).layers
    monkeypatch.setattr(prompts, "_WAITING", 0)
    alone = measure_column(REVISION, folder, TEXTS, RAW, ProbeSession(CPU), config).layers
    monkeypatch.setattr(prompts, "_tokens", lambda states: 32)  # as on an accelerator
    filled = measure_column(REVISION, folder, TEXTS, RAW, ProbeSession(CPU), config).layers
    for other in (alone, filled):
        for ours, theirs in zip(other, together, strict=True):
            assert ours == pytest.approx(theirs)


@pytest.mark.slow
def test_a_batch_that_is_tried_again_in_halves_counts_each_prompt_once(tmp_path, monkeypatch):
    """What is known of a batch's texts must not be taken for its halves'."""
    folder, config = make(tmp_path), MetricsConfig(prompts_share=1.0, measures={"prompt_entropy": {}, "curvature": {}})
    whole = measure_column(REVISION, folder, TEXTS, RAW, ProbeSession(ProbeConfig("cpu")), config).layers
    tell, failed = Once.tell, []

    def tell_or_fail(self, layer, parts):
        if layer == 1 and not failed:
            failed.append(len(parts))
            raise MemoryError
        tell(self, layer, parts)

    monkeypatch.setattr(Once, "tell", tell_or_fail)
    halves = measure_column(REVISION, folder, TEXTS, RAW, ProbeSession(ProbeConfig("cpu")), config).layers
    for ours, theirs in zip(halves, whole, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)
    assert failed[0] > 1


@pytest.mark.parametrize("factor", [1e8, 1e-9], ids=["overflows", "vanishes"])
def test_what_a_short_dtype_cannot_hold_is_measured_in_float32_and_says_so(tmp_path, caplog, factor):
    folder = make(tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights["embed_in.weight"] *= factor
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = MetricsConfig(measures={"rankme": {}})
    asked = replace(RAW, dtype=Dtype.float16)
    assert measure_column(REVISION, folder, TEXTS, RAW, ProbeSession(CPU), config).dtype is Dtype.float32
    found = measure_column(REVISION, folder, TEXTS, asked, ProbeSession(CPU), config)
    assert found == measure_column(REVISION, folder, TEXTS, RAW, ProbeSession(CPU), config)
    assert found.dtype is Dtype.float32
    assert sum("measuring the column again in float32" in line for line in caplog.messages) == 1
    assert (
        measure_column(REVISION, make(tmp_path / "b"), TEXTS, asked, ProbeSession(CPU), config).dtype is Dtype.float16
    )


def test_metrics_change_no_vector(tmp_path):
    folder = make(tmp_path)
    before = column_vectors(REVISION, folder, TEXTS, RAW, ProbeSession(CPU))
    measure_column(REVISION, folder, TEXTS, RAW, ProbeSession(CPU), MetricsConfig(measures={"prompt_entropy": {}}))
    assert (column_vectors(REVISION, folder, TEXTS, RAW, ProbeSession(CPU)) == before).all()


def test_diverged_weights_are_named_and_not_measured(tmp_path):
    file = make(tmp_path) / "model.safetensors"
    weights = load_file(file)
    weights["embed_in.weight"][:] = torch.nan
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(NonFiniteError, match="step7: layer 0"):
        measure_column(REVISION, tmp_path, TEXTS, RAW, ProbeSession(CPU), EVERY)


# Views


def test_a_view_follows_from_its_text_its_number_and_the_seed_alone():
    once = noisy_views(TEXTS, 3, 0.5, seed=1)
    assert noisy_views(TEXTS[::-1], 3, 0.5, seed=1) == once[::-1]
    assert [views[:2] for views in once] == noisy_views(TEXTS, 2, 0.5, seed=1)
    assert once != noisy_views(TEXTS, 3, 0.5, seed=2)


def test_a_view_is_its_text_with_slips_in_a_share_of_its_words():
    text = "the quick brown fox\n\tjumps over  Lazy dogs " * 100
    ((view, other),) = noisy_views([text], 2, 0.1, seed=0)
    assert view != other
    changed = 1 - len(set(enumerate(view.split())) & set(enumerate(text.split()))) / 800
    assert "\n\t" in view
    assert changed > 0.05
    kept = sum(word in {"the", "quick", "brown", "fox", "jumps", "over", "Lazy", "dogs"} for word in view.split()) / 800
    assert 0.85 < kept < 0.95
    assert all(word.isalpha() for word in view.split())  # and no brackets or quotes of a printed list


def test_no_view_is_its_text_where_anything_can_slip():
    texts = [*(" ".join(f"w{n}x{word}" for word in range(7)) for n in range(200)), "1234", "aa bb", "汉字" * 30, "no"]
    for text, views in zip(texts, noisy_views(texts, 3, 0.05, seed=0), strict=True):
        assert text not in views


def test_a_script_without_spaces_slips_as_often_as_one_with_them():
    text = "".join(chr(0x4E00 + n) for n in range(500))
    ((view, _),) = noisy_views([text], 2, 0.2, seed=0)
    assert 10 < sum(part not in view for part in (text[n : n + 5] for n in range(0, 500, 5))) < 32


def test_texts_without_a_word_to_slip_in_stay_as_they_are():
    assert noisy_views(["a", "", " \n", "é"], 2, 1.0, seed=0) == [["a"] * 2, [""] * 2, [" \n"] * 2, ["é"] * 2]


# Settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"measures": {"rankm": {}}}, "measures: must be of .*, got 'rankm'; did you mean rankme?"),
        ({"measures": {"rankme": {"epz": 1}}}, r"measures.rankme.epz: unknown key; rankme has eps; did you mean eps\?"),
        ({"measures": {"dime": {"alpha": 0}}}, "measures.dime.alpha: must be > 0, got 0"),
        ({"measures": {"dime": {"centre": 1}}}, "measures.dime.centre: must be true or false, got 1"),
        ({"measures": {"prompt_entropy": {"normalisation": "lnN"}}}, "normalisation: must be raw or max, got 'lnN'"),
        ({"columns": "all"}, "measures: must be at least one metric, got none"),
        ({"only": True}, "only: must be false with columns=none"),
        ({"corpus_max_examples_per_task": 0}, "corpus_max_examples_per_task: must be >= 1, got 0"),
        ({"prompts": 0}, "prompts: must be >= 1, got 0"),
        ({"prompts_share": 0}, r"prompts_share: must be in \(0, 1\], got 0"),
        ({"views": 1}, "views: must be >= 2, got 1"),
        ({"noise": 0.0}, r"noise: must be in \(0, 1\], got 0.0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(settings, message):
    from tl_search.probe.measuring.config import Columns

    if "columns" in settings:
        settings = {**settings, "columns": Columns[settings["columns"]]}
    with pytest.raises(ValueError, match=message):
        MetricsConfig(**settings)


def test_a_metric_that_is_null_is_left_out_and_options_are_filled_in():
    config = MetricsConfig(measures={"rankme": None, "dime": {"alpha": 2}})
    assert config.measures == {"dime": {**OPTIONS["dime"], "alpha": 2.0}}
    assert config.identity()["views"] == 2
    assert "views" not in MetricsConfig(measures={"rankme": {}}).identity()
