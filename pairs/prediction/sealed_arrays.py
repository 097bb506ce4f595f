"""Arrays in a safetensors file that states the digest of its own bytes, so that no damage passes for a
result.

The digest stands first in the file's header, as `{"__metadata__":{"digest":"..."}`. It is SHA-256 of a name
that the file itself doesn't hold, and of all bytes of the file with zeros in the place of the digest.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

Arrays = Mapping[str, np.ndarray]
"""Arrays by name."""

_ZEROS = b"0" * 64
_HEADER = re.compile(rb'.{8}\{"__metadata__":\{"digest":"([0-9a-f]{64})"\}', re.DOTALL)
_BLOCK = 1 << 20
"""Bytes that are looked at together: they stay in the processor's cache, and memory does not grow with the
file."""


def seal(arrays: Arrays, name: str = "") -> bytearray:
    """Return arrays as the content of a file. What is read under another `name` counts as damaged."""
    content = bytearray(
        save(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()},
            {"digest": _ZEROS.decode()},
        )
    )
    found = _HEADER.match(content)
    if found is None:
        raise ValueError("safetensors has written its metadata elsewhere than at the head of the file")
    start, end = found.span(1)
    digest = hashlib.sha256(name.encode() + b"\0")
    digest.update(content)
    content[start:end] = digest.hexdigest().encode()
    return content


def digest_of(content: bytes | bytearray) -> str:
    """Return the digest that sealed content states."""
    found = _HEADER.match(content)
    if found is None:
        raise ValueError("no digest at its head")
    return found[1].decode()


def read_sealed(path: Path, name: str = "", digest: str | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of a file that `seal` made under a name, and with that digest where one is given.

    Raises `ValueError` saying what is wrong with it, `OSError` when it cannot be read.
    """
    # Opening a pipe would wait for somebody who writes.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("no file")
    with path.open("rb") as file:
        head = file.read(_BLOCK)
        stated = digest_of(head)
        if digest not in (None, stated):
            raise ValueError("it belongs to another result")
        state = hashlib.sha256(name.encode() + b"\0")
        state.update(head.replace(stated.encode(), _ZEROS, 1))
        while block := file.read(_BLOCK):
            state.update(block)
    if state.hexdigest() != stated:
        raise ValueError("its content does not have the digest that it states")
    return read_arrays(path)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a safetensors file that states no digest. Raises as `read_sealed`."""
    try:
        return load_file(path)
    # Numbers that numpy does not know are an AttributeError, a KeyError or a TypeError by their kind.
    except (SafetensorError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from error
