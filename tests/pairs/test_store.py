"""The store: whole entries or none, and keys that tell inputs apart."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masks.errors import OutputError
from pairs.store import PredictionStore, digest


def test_an_entry_comes_back(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path)
    store.put("kind", "key", {"a": np.arange(6).reshape(2, 3), "empty": np.zeros((0, 2))})
    found = store.get("kind", "key")
    assert found is not None
    np.testing.assert_array_equal(found["a"], np.arange(6).reshape(2, 3))
    assert found["empty"].shape == (0, 2)
    assert store.get("kind", "other") is None


@pytest.mark.parametrize("keep", [0, 5, 60])
def test_a_truncated_entry_is_thrown_away(tmp_path: Path, keep: int) -> None:
    store = PredictionStore(tmp_path)
    store.put("kind", "key", {"a": np.arange(100)})
    path = store.path("kind", "key")
    path.write_bytes(path.read_bytes()[:keep])
    assert store.get("kind", "key") is None
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


@given(st.lists(st.one_of(st.text(), st.integers(), st.binary()), max_size=4), st.lists(st.one_of(st.text(), st.integers(), st.binary()), max_size=4))
def test_different_parts_give_different_keys(a: list, b: list) -> None:
    assert (digest(*a) == digest(*b)) == (repr(a) == repr(b))


def test_dtype_and_shape_are_part_of_the_key() -> None:
    zeros = [np.zeros(4, np.float32), np.zeros(2, np.float64), np.zeros((2, 2), np.float32), np.zeros((4, 1), np.float32)]
    assert len({digest(z) for z in zeros}) == 4
