"""The registry of published families: names and places turn into each other, and known lists are as published."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tl_search.checkpoints import registry
from tl_search.checkpoints.naming import Naming, Place
from tl_search.errors.kinds import BadInput
from tl_search.plane.revision import step_of
from tl_search.runs.layout import RunPaths

FAMILIES = [registry.named(name) for name in registry.names()]
PYTHIA = registry.named("pythia")
NAMES = {  # names that are published, with what they say
    "pythia": ("pythia-410m", "step143000", Place(143000, 143000 * 2097152), 143000),
    "polypythias": ("pythia-14m-seed3", "step512", Place(512, 512 * 2097152), 512),
    "olmo1": ("OLMo-7B-hf", "step200000-tokens838B", Place(200000, 838 * 10**9), 200000),
    "olmo2": ("OLMo-2-1124-7B", "stage2-ingredient1-step11931-tokens50B",
              Place(11931, 50 * 10**9, "stage2-ingredient1"), None),
    "olmo3": ("Olmo-3-1025-7B", "stage2-step47684", Place(47684, None, "stage2"), 1461498),
    "smollm2": ("SmolLM2-135M-intermediate-checkpoints", "step-1200000", Place(1200000), 1200000),
    "smollm3": ("SmolLM3-3B-checkpoints", "lc-32k-to-64k-step-4000",
                Place(4000, 4000 * 2359296, "lc-32k-to-64k"), 4744000),
    "amber": ("Amber", "ckpt_040", Place(40, 140 * 10**9), 40),
    "k2": ("K2", "ckpt_139", Place(139), 139),
    "bloom": ("bloom-1b1-intermediate", "global_step600000", Place(600000), 600000),
    "multiberts": ("multiberts-seed_0", "step_20k", Place(20000, 20000 * 131072), 20000),
    "pico": ("pico-decoder-tiny", "step1000", Place(1000), 1000),
    "apertus": ("Apertus-8B-2509", "step2627139-tokens15T", Place(2627139, 15 * 10**12), 2627139),
    "tinyllama": ("TinyLlama-1.1B", "intermediate-step-715k-1.5T", Place(715000, 15 * 10**11), 715000),
    "datadecide": ("DataDecide-dolma1_7-1B", "step69369-seed-default", Place(69369, None, "default"), 69369),
    "babylm": ("babylm-baseline-10m-gpt2", "chck_7M", Place(7, 7_000_000), 7),
}  # fmt: skip


def test_every_family_has_an_example_here():
    assert sorted(NAMES) == registry.names()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_published_name_says_where_in_training_it_is_and_is_found_from_there(family):
    model, name, place, position = NAMES[family.name]
    assert family.has(f"{family.organisation}/{model}")
    assert (family.place(name, model), family.position(name, model)) == (place, position)
    assert family.name_of(place, model) == name


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@given(data=st.data())
@settings(max_examples=30)
def test_a_name_becomes_a_place_and_the_same_name_again(family, data):
    naming = data.draw(st.sampled_from(family.names))
    model = data.draw(st.sampled_from([NAMES[family.name][0], *family.models]))
    steps = naming.published(model) if naming.only else range(0, 5_000_000, naming.scale)
    stage = data.draw(st.from_regex(naming.stage, fullmatch=True)) if "{stage}" in naming.template else naming.stage
    place = naming.at(data.draw(st.sampled_from(steps)), model, stage)
    if naming.unit:
        place = Place(place.step, data.draw(st.integers(0, 30_000)) * naming.unit, stage)
    name = family.name_of(place, model)
    read = family.place(name, model)
    assert (read.step, read.stage) == (place.step, place.stage)
    assert not naming.unit or read.tokens == place.tokens
    assert family.name_of(read, model) == name


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_listed_checkpoint_is_in_training_order_and_found_by_its_name(family):
    for model in family.models:
        known = family.known(model)
        assert len({checkpoint.name for checkpoint in known}) == len(known)
        assert [checkpoint.position for checkpoint in known] == sorted(checkpoint.position for checkpoint in known)
        for checkpoint in known:
            assert family.place(checkpoint.name, model) == checkpoint.place
            assert family.position(checkpoint.name, model) == checkpoint.position


@pytest.mark.parametrize("model", PYTHIA.models)
def test_pythia_publishes_154_checkpoints_and_main_is_the_last_of_them(model):
    steps = [0, *(2**power for power in range(10)), *range(1000, 143_001, 1000)]
    assert [checkpoint.name for checkpoint in PYTHIA.known(model)] == [f"step{step}" for step in steps]
    assert len(steps) == 154
    assert PYTHIA.place("main", model) == PYTHIA.known(model)[-1].place == Place(143_000, 143_000 * 2_097_152)


@pytest.mark.parametrize(
    ("family", "model", "count", "ends"),
    [
        ("smollm3", "SmolLM3-3B-checkpoints", 128, ("stage1-step-40000", "lc-32k-to-64k-step-20000")),
        ("amber", "Amber", 360, ("ckpt_000", "main")),
        ("bloom", "bloom-560m-intermediate", 8, ("global_step1000", "global_step600000")),
        ("multiberts", "multiberts-seed_4", 29, ("step_0k", "step_2000k")),
        ("tinyllama", "TinyLlama-1.1B", 7, ("step-50K-105b", "intermediate-step-1431k-3T")),
        ("olmo2", "OLMo-2-0425-1B", 192, ("stage1-step0-tokens0B", "stage1-step1907359-tokens4001B")),
        ("olmo3", "Olmo-3-1025-7B", 1475, ("stage1-step0", "stage3-step11921")),
        ("babylm", "babylm-baseline-10m-gpt2", 19, ("chck_1M", "chck_100M")),
        ("babylm", "babylm-baseline-100m-gpt2", 28, ("chck_1M", "chck_1000M")),
    ],
)
def test_lists_are_as_published(family, model, count, ends):
    known = registry.named(family).known(model)
    assert (len(known), (known[0].name, known[-1].name)) == (count, ends)


def test_the_sizes_of_pythia_are_those_of_its_architecture():
    from tl_search.training.families.pythia import Pythia

    for model, sizes in PYTHIA.models.items():
        vocabulary = {"6.9b": 50432, "12b": 50688}.get(model.split("-")[1], 50304)
        whole = Pythia(sizes.width, sizes.blocks, 1).parameters(vocabulary)
        assert sizes.parameters == whole - vocabulary * sizes.width
        assert sizes.bytes == 2 * whole + sizes.blocks * 2048**2


@pytest.mark.parametrize(
    ("family", "given", "meant"),
    [
        ("pythia", "step-1000", "step1000"),
        ("pythia", "Step_1000", "step1000"),
        ("pythia", "stepp1000", None),
        ("smollm2", "step1000", "step-1000"),
        ("smollm3", "stage1_step40000", "stage1-step-40000"),
        ("amber", "ckpt-7", "ckpt_007"),
        ("bloom", "globalstep1000", "global_step1000"),
    ],
)
def test_another_spelling_means_the_familys_own(family, given, meant):
    assert registry.named(family).meant(given) == meant
    assert registry.named(family).place(given) is None


def test_a_model_is_of_one_family_at_most():
    for family in FAMILIES:
        for model in family.models or [NAMES[family.name][0]]:
            repository = f"{family.organisation}/{model}"
            assert [other.name for other in FAMILIES if other.has(repository)] == [family.name]
            assert registry.family_of(repository) == family
    assert registry.family_of("EleutherAI/gpt-neo") is None


def test_an_unknown_family_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match=r"no family 'pythias' of published models; did you mean pythia\?"):
        registry.named("pythias")


VALID = {
    "title": "Mine", "source": "here", "organisation": "me", "repositories": "model-\\d", "published": "branches",
    "certain": True, "names": [{"template": "at{step}", "steps": "0, 10..30/10"}],
}  # fmt: skip


def write(folder, **changes):
    import yaml

    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in {**VALID, **changes}.items() if value is not None}))
    return file


def test_a_family_is_one_file(tmp_path):
    family = registry.read(write(tmp_path))
    assert [checkpoint.name for checkpoint in family.known("model-1")] == ["at0", "at10", "at20", "at30"]
    assert family.name == "mine"


def test_a_family_of_an_allowed_package_is_found(tmp_path, monkeypatch):
    (tmp_path / "theirs" / "families").mkdir(parents=True)
    write(tmp_path / "theirs" / "families")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TL_PLUGINS", "theirs")
    assert registry.family_of("me/model-7").title == "Mine"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"certian": True}, "certian: unknown key; did you mean certain?"),
        ({"certain": None}, "has no entry 'certain'"),
        ({"published": "pages"}, "published: must be one of branches, tags"),
        ({"names": []}, "names: must be at least one pattern"),
        ({"names": [{"template": "step"}]}, "template: must have {step} once, got 'step'"),
        ({"names": [{"template": "s{step}-{tokens:X}"}]}, "{tokens:…} must name K, M, B or T"),
        ({"names": [{"template": "s{step}", "steps": "1..x"}]}, "steps: must be written like"),
        ({"names": [{"template": "s{step}", "step": "1"}]}, "names[0].step: unknown key; did you mean steps?"),
        ({"published": "commits"}, "names: must have a title where commits are published"),
        ({"models": {"other": {"blocks": 1, "width": 1, "parameters": 1}}}, "models: must match repositories"),
    ],
)
def test_a_file_that_describes_no_family_is_one_clear_line(tmp_path, changes, message):
    with pytest.raises(BadInput, match=re.escape(message)) as refused:
        registry.read(write(tmp_path, **changes))
    assert str(tmp_path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_revisions_of_local_runs_are_named_as_pythias():
    assert Naming("step{step}").name(Place(7)) == RunPaths(Path("run")).revision("step7").name


def test_the_family_in_the_readme_is_one(tmp_path):
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n# mine/families/(owls\.yaml)\n(.*?)```", readme, re.DOTALL)
    file = tmp_path / block[1]
    file.write_text(block[2])
    family = registry.read(file)
    assert list(family.models) == ["owl-small", "owl-large"]
    assert family.place("main", "owl-small") == Place(50_000, 50_000 * 524_288)
    assert len(family.known("owl-large")) == 51


@pytest.mark.parametrize("name", ["step" + "9" * 19, "step" + "9" * 5000, "stage1-step1-tokens" + "9" * 30 + "B"])
def test_a_number_that_no_file_could_hold_is_no_checkpoints(name):
    assert [family.place(name) for family in FAMILIES] == [None] * len(FAMILIES)
    assert step_of(name) is None
