"""Pickles that ask a reader for more than a file of numbers needs are refused, at once."""

from __future__ import annotations

import io
import pickle
import zipfile
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from masks.errors import FormatError
from pairs.networks.plain_pickle import require_plain
from pairs.networks.weights import read_pickled

TWICE_FORTY_TIMES = b")" + b"2\x86" * 40
"""Tuples that hold one another twice over: any look at all of them takes years."""


@pytest.mark.parametrize(
    ("instructions", "said"),
    [
        (b"}" + TWICE_FORTY_TIMES + b"K\x01s.", "a key that is a tuple"),
        (b"}(" + TWICE_FORTY_TIMES + b"K\x01u.", "a key that is a tuple"),
        (b"(" + TWICE_FORTY_TIMES + b"K\x01d.", "a key that is a tuple"),
        (TWICE_FORTY_TIMES + b"K\x01R.", "no function"),
        (TWICE_FORTY_TIMES + b")R.", "no function"),
        (TWICE_FORTY_TIMES + b")\x81.", "no class"),
        (TWICE_FORTY_TIMES + b"Q.", "no storage"),
        (b"\x8f(" + TWICE_FORTY_TIMES + b"\x90.", "no file of numbers needs"),
        (b"(" + TWICE_FORTY_TIMES + b"\x91.", "no file of numbers needs"),
        (b"\x96" + (1 << 40).to_bytes(8, "little") + b".", "ends too early"),
    ],
)
def test_what_unfolds_is_refused(instructions: bytes, said: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match=said):
        require_plain(b"\x80\x04" + instructions)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_files_of_numbers_hold_is_plain(protocol: int) -> None:
    held = {"args": Namespace(model="x", sizes=[1, (2, 3)]), "lr": 0.1, 3: None, "array": np.ones(3)}
    require_plain(pickle.dumps(held | {"state": OrderedDict(a=1)}, protocol))


def changed(path: Path, change: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> Path:
    """Write a torch file again with other entries."""
    torch.save({"model": {"a": torch.ones(30000)}}, path)
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in entries.items():
            archive.writestr(name, change.get(name.rpartition("/")[2], content))
    return path


def test_a_packed_checkpoint_is_refused(tmp_path: Path) -> None:
    assert read_pickled(changed(tmp_path / "net.pth", {}))["model"]["a"].shape == (30000,)
    with pytest.raises(FormatError, match=r"net\.pth: its entries are compressed"):
        read_pickled(changed(tmp_path / "net.pth", {}, zipfile.ZIP_DEFLATED))


def test_a_checkpoint_that_unfolds_is_refused(tmp_path: Path) -> None:
    # Torch's reader knows no DUP: what was made is remembered, and fetched.
    unfolding = b"\x80\x02})q\x00" + b"".join(b"h%c\x86q%c" % (k, k + 1) for k in range(40)) + b"K\x01s."
    with pytest.raises(FormatError, match=r"net\.pth: .*a key that is a tuple"):
        read_pickled(changed(tmp_path / "net.pth", {"data.pkl": unfolding}))
