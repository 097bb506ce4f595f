"""The store: whole entries or none, and keys that tell inputs apart."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_equal_arrays_give_equal_files(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path)
    for key in ("x", "y"):
        store.put("kind", key, {"b": np.arange(3), "a": np.ones(2)})
    assert store.path("kind", "x").read_bytes() == store.path("kind", "y").read_bytes()


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
