"""Points as trainers of splats start from them: a PLY file with normals, which are zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from masks.disk.whole_file import write_whole

_POINT = np.dtype(
    [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")]
    + [(name, "u1") for name in ("red", "green", "blue")]
)


def write_points(path: Path, points: np.ndarray, colours: np.ndarray) -> None:
    """Write points (P, 3) and colours (P, 3) uint8. The published trainer asks for normals and uses none."""
    table = np.zeros(len(points), _POINT)
    for axis, name in enumerate("xyz"):
        table[name] = points[:, axis]
    for channel, name in enumerate(("red", "green", "blue")):
        table[name] = colours[:, channel]
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(table)}"]
    kinds = {"f": "float", "u": "uchar"}
    lines += [f"property {kinds[_POINT[name].kind]} {name}" for name in _POINT.names or ()]
    write_whole(path, ("\n".join([*lines, "end_header"]) + "\n").encode() + table.tobytes())
