"""Damage never passes for arrays."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pairs.prediction.sealed_arrays import digest_of, read_arrays, read_sealed, seal

ARRAYS = {
    "points": np.arange(24.0).reshape(4, 2, 3),
    "flags": np.array([True, False]),
    "none": np.zeros((0, 2)),
}


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    path = tmp_path / "entry.safetensors"
    path.write_bytes(seal(ARRAYS, "kind/key"))
    return path


def test_arrays_come_back_and_can_be_written_to(sealed: Path) -> None:
    found = read_sealed(sealed, "kind/key", digest_of(sealed.read_bytes()))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert found[name].flags.writeable


def test_other_programs_read_it_as_safetensors(sealed: Path) -> None:
    np.testing.assert_array_equal(load_file(sealed)["points"], ARRAYS["points"])


def test_equal_arrays_are_equal_bytes_in_whatever_order_they_are_named() -> None:
    assert seal(ARRAYS) == seal(dict(reversed(ARRAYS.items())))
    assert seal(ARRAYS) != seal(ARRAYS, "other")


def test_flipped_bits_are_seen_wherever_they_are(sealed: Path) -> None:
    whole = sealed.read_bytes()
    for bit in range(0, 8 * len(whole), 7):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        sealed.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"\w"):
            read_sealed(sealed, "kind/key")


@pytest.mark.parametrize("keep", [0, 7, 8, 50, 100, 250, -1])
def test_every_truncation_is_seen(sealed: Path, keep: int) -> None:
    sealed.write_bytes(sealed.read_bytes()[:keep])
    with pytest.raises(ValueError, match="digest"):
        read_sealed(sealed, "kind/key")


def test_more_than_a_block_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(seal({"a": np.arange(400_000)}))
    assert len(read_sealed(path)["a"]) == 400_000
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    with pytest.raises(ValueError, match="does not have the digest"):
        read_sealed(path)


def test_whole_arrays_of_another_name_or_digest_are_none(sealed: Path) -> None:
    with pytest.raises(ValueError, match="does not have the digest"):
        read_sealed(sealed, "kind/other")
    with pytest.raises(ValueError, match="another result"):
        read_sealed(sealed, "kind/key", "0" * 64)


def test_arrays_that_nobody_sealed_are_none(tmp_path: Path) -> None:
    save_file(ARRAYS, tmp_path / "plain")
    with pytest.raises(ValueError, match="no digest"):
        read_sealed(tmp_path / "plain")
    assert read_arrays(tmp_path / "plain").keys() == ARRAYS.keys()


def test_numbers_that_numpy_does_not_know_are_a_value_error(tmp_path: Path) -> None:
    for kind in ("F8_E4M3", "F8_E5M2", "BF16", "no such"):
        header = json.dumps({"a": {"dtype": kind, "shape": [2], "data_offsets": [0, 2]}}).encode()
        (tmp_path / "odd").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
        with pytest.raises(ValueError, match=r"\w"):
            read_arrays(tmp_path / "odd")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no file"):
        read_sealed(tmp_path / "pipe")
