"""The store: whole entries or none, and keys that tell inputs apart."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from masks.errors import OutputError
from pairs.prediction.store import PredictionStore
from pairs.views.digest import digest, files_digest


def test_an_entry_comes_back(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path)
    store.put("kind", "key", {"a": np.arange(6).reshape(2, 3), "empty": np.zeros((0, 2))})
    found = store.get("kind", "key")
    assert found is not None
    np.testing.assert_array_equal(found["a"], np.arange(6).reshape(2, 3))
    assert found["empty"].shape == (0, 2)
    assert store.get("kind", "other") is None
    assert store.has("kind", "key")
    assert not store.has("kind", "other")


@pytest.mark.parametrize("keep", [0, 5, 60])
def test_a_truncated_entry_is_thrown_away(tmp_path: Path, keep: int) -> None:
    store = PredictionStore(tmp_path)
    store.put("kind", "key", {"a": np.arange(100)})
    path = store.path("kind", "key")
    whole = path.read_bytes()
    for ask in (store.get, store.has):
        path.write_bytes(whole[:keep])
        assert not ask("kind", "key")
        assert not path.exists()


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path)
    (tmp_path / "kind").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="cannot be written"):
        store.put("kind", "key", {"a": np.arange(3)})
    assert [p.name for p in tmp_path.iterdir()] == ["kind"]


def test_equal_arrays_give_equal_files_under_equal_keys(tmp_path: Path) -> None:
    one, other = PredictionStore(tmp_path / "one"), PredictionStore(tmp_path / "other")
    for store in (one, other):
        store.put("kind", "x", {"b": np.arange(3), "a": np.ones(2)})
    assert one.path("kind", "x").read_bytes() == other.path("kind", "x").read_bytes()


def test_a_whole_entry_under_the_name_of_another_is_thrown_away(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path)
    for key in ("x", "y"):
        store.put("kind", key, {"a": np.full(3, ord(key))})
    store.path("kind", "x").write_bytes(store.path("kind", "y").read_bytes())
    assert store.get("kind", "x") is None
    assert store.has("kind", "y")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda whole: whole[:-8] + b"\0" * 8, "its content does not"),
        (lambda whole: bytes(len(whole)), "no digest"),
        (lambda whole: save({"a": np.arange(3)}), "no digest"),
    ],
    ids=["body", "all", "plain"],
)
def test_a_damaged_entry_is_said_thrown_away_and_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes], said: str
) -> None:
    store = PredictionStore(tmp_path)
    store.put("kind", "key", {"a": np.arange(3)})
    path = store.path("kind", "key")
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    found = store.get_or_make("kind", "key", lambda: {"a": np.arange(3)})
    np.testing.assert_array_equal(found["a"], np.arange(3))
    assert path.read_bytes() == whole
    assert f"{path}: damaged store entry ({said}" in caplog.text
    assert "made again" in caplog.text


def test_an_entry_that_its_reader_has_no_use_for_is_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = PredictionStore(tmp_path)
    store.put("kind", "key", {"other": np.arange(3)})
    found = store.get_or_make("kind", "key", lambda: {"a": np.ones(2)}, lambda arrays: arrays["a"].sum())
    assert found == 2
    assert "damaged store entry (no 'a')" in caplog.text
    assert store.get("kind", "key", lambda arrays: arrays["a"].sum()) == 2


def test_what_cannot_be_read_is_said_and_not_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PredictionStore(tmp_path)
    store.put("kind", "key", {"a": np.arange(3)})

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refused)
        assert store.get("kind", "key") is None
    assert "cannot be read (Permission denied)" in caplog.text
    assert store.has("kind", "key")


def test_a_folder_or_a_pipe_in_the_place_of_an_entry_ends_in_a_message(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path)
    os.makedirs(store.path("kind", "folder"))
    assert store.get("kind", "folder") is None
    with pytest.raises(OutputError, match="it is a folder"):
        store.put("kind", "folder", {"a": np.arange(3)})
    os.mkfifo(store.path("kind", "pipe"))
    assert not store.has("kind", "pipe")
    store.put("kind", "pipe", {"a": np.arange(3)})
    assert store.has("kind", "pipe")


def test_the_folder_is_that_of_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = PredictionStore(Path("store"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.put("kind", "key", {"a": np.arange(3)})
    assert (tmp_path / "store" / "kind" / "key.safetensors").exists()


@given(
    st.lists(st.one_of(st.text(), st.integers(), st.binary()), max_size=4),
    st.lists(st.one_of(st.text(), st.integers(), st.binary()), max_size=4),
)
def test_different_parts_give_different_keys(a: list, b: list) -> None:
    assert (digest(*a) == digest(*b)) == (repr(a) == repr(b))


def test_dtype_and_shape_are_part_of_the_key() -> None:
    zeros = [
        np.zeros(4, np.float32),
        np.zeros(2, np.float64),
        np.zeros((2, 2), np.float32),
        np.zeros((4, 1), np.float32),
    ]
    assert len({digest(z) for z in zeros}) == 4


def test_a_key_of_files_is_that_of_their_bytes_in_order(tmp_path: Path) -> None:
    one, two, copy = (tmp_path / name for name in ("one", "two", "copy"))
    for path, content in ((one, b"a"), (two, b"b"), (copy, b"a")):
        path.write_bytes(content)
    assert files_digest(one, two) == files_digest(copy, two)
    assert len({files_digest(one), files_digest(two), files_digest(one, two), files_digest(two, one)}) == 4
