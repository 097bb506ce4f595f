"""Digests of what goes into a key of the store."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

CACHE_FORMAT = 2
"""Part of every key: raised whenever the meaning of stored arrays changes."""


def digest(*parts: object) -> str:
    """Return a key made of strings, numbers, bytes, arrays, and (nested) sequences and mappings of them."""
    state = hashlib.sha256(f"pointloom {CACHE_FORMAT}".encode())
    for part in parts:
        _feed(state, part)
    # 160 bits: no two entries that a disk can hold collide by chance, and names stay short.
    return state.hexdigest()[:40]


def files_digest(*files: Path) -> str:
    """Return a key made of the bytes of files, such as the weights of a network."""
    state = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            state.update(hashlib.file_digest(stream, "sha256").digest())
    return state.hexdigest()[:40]


def _feed(state: hashlib._Hash, part: object) -> None:
    # Every part is preceded by its kind and length, so that no two different lists of parts give the same
    # byte stream.
    if isinstance(part, np.ndarray):
        head, body = f"array {part.dtype.str} {part.shape}", np.ascontiguousarray(part).tobytes()
    elif isinstance(part, bytes):
        head, body = "bytes", part
    else:
        head, body = "json", json.dumps(part, sort_keys=True).encode()
    state.update(f"|{head} {len(body)}|".encode())
    state.update(body)
