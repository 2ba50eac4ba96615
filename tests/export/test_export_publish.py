"""An export is uploaded by the real client of the Hub, to one on the loopback device."""

import huggingface_hub
import pytest
from huggingface_hub import constants

from tl_search.export.publish import check_target, claim, upload

NAME = "me/best"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(bytes(range(256)) * 64)
    (tmp_path / "README.md").write_text("---\nlibrary_name: sentence-transformers\n---\n# best\n")
    return tmp_path


def held(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_repository_is_private_and_holds_what_the_folder_holds(hub, folder):
    check_target(NAME)
    claim(NAME, overwrite=False)
    assert upload(NAME, folder, "step4/layer 1 of tiny") == f"{hub.url}/{NAME}"
    assert hub.private == {NAME}
    files = dict(hub.repositories[NAME])
    del files[".gitattributes"]
    assert files == held(folder)
    assert hub.commits == [(NAME, "step4/layer 1 of tiny")]


def test_one_that_exists_is_replaced_only_when_asked_and_nothing_of_it_stays(hub, folder):
    claim(NAME, overwrite=False)
    hub.repositories[NAME]["2_Dense/model.safetensors"] = b"of an earlier readout"
    with pytest.raises(ValueError, match=r"^push_to_hub: me/best: it exists; overwrite=true replaces its files$"):
        claim(NAME, overwrite=False)
    claim(NAME, overwrite=True)
    upload(NAME, folder, "again")
    assert set(hub.repositories[NAME]) == {".gitattributes", *held(folder)}


@pytest.mark.parametrize(
    ("name", "said"),
    [("best", "must be owner/name"), ("../x/y", "must be owner/name"), ("me/be st", "must be owner/name")],
)
def test_what_is_no_name_is_one_line(hub, name, said):
    with pytest.raises(ValueError, match=f"^push_to_hub: {said}"):
        check_target(name)
    assert hub.asked == []


def test_without_a_token_or_offline_nothing_is_asked(hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(ValueError, match="without a token: set HF_TOKEN"):
        check_target(NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="while HF_HUB_OFFLINE is set"):
        check_target(NAME)
    assert hub.asked == []


def test_a_hub_that_refuses_or_does_not_answer_is_one_line(hub, folder, monkeypatch):
    claim(NAME, overwrite=False)
    hub.faults["/commit/main"] = 403
    with pytest.raises(ValueError, match="may not write there"):
        upload(NAME, folder, "x")
    monkeypatch.setenv("HF_TOKEN", "hf_" + "b" * 34)
    with pytest.raises(ValueError, match=r"does not know the token .*\(401\)") as caught:
        claim("me/other", overwrite=False)
    assert "bbbb" not in str(caught.value)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match="does not answer"):
        claim("me/other", overwrite=False)
