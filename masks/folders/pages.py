"""Pages of TIFF files: several photos may lie in one file, of which the first is read."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_WIDTH, _HEIGHT = 256, 257
_MOST = 1000
"""Pages that are followed: a damaged file may name its own pages for ever."""


def pages_of(path: Path) -> int:
    """Return how many pages of its first page's size a TIFF file has, 1 for one that cannot be read: smaller
    ones are its thumbnails.
    """
    try:
        with path.open("rb") as file:
            return _pages(file)
    except (OSError, struct.error):
        return 1


def _pages(file: BinaryIO) -> int:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(file.read(4))
    if order is None:
        return 1
    (at,) = struct.unpack(order + "I", file.read(4))
    sizes: list[tuple[int, int]] = []
    seen: set[int] = set()
    while at and at not in seen and len(seen) < _MOST:
        seen.add(at)
        file.seek(at)
        (count,) = struct.unpack(order + "H", file.read(2))
        entries = file.read(12 * count)
        sides = {_WIDTH: 0, _HEIGHT: 0}
        for tag, kind, _, short, _ in struct.iter_unpack(order + "HHIHH", entries):
            if tag in sides and kind == 3:
                sides[tag] = short
        for tag, kind, _, long in struct.iter_unpack(order + "HHII", entries):
            if tag in sides and kind == 4:
                sides[tag] = long
        sizes.append((sides[_WIDTH], sides[_HEIGHT]))
        (at,) = struct.unpack(order + "I", file.read(4))
    return max(1, sizes.count(sizes[0])) if sizes else 1
