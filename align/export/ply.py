"""PLY point clouds: binary little-endian, float32 positions, uchar colours, optional normals and confidence;
and their reader.

MeshLab, CloudCompare and Blender open the files as they are. The reader takes binary and text files of other
programs, of either byte order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from align.points import PointCloud
from masks.disk.whole_file import write_whole
from masks.errors import FormatError

_TYPES = {
    **{
        "char": "i1",
        "int8": "i1",
        "uchar": "u1",
        "uint8": "u1",
        "short": "i2",
        "int16": "i2",
        "ushort": "u2",
        "uint16": "u2",
    },
    **{
        "int": "i4",
        "int32": "i4",
        "uint": "u4",
        "uint32": "u4",
        "float": "f4",
        "float32": "f4",
        "double": "f8",
        "float64": "f8",
    },
}
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "="}
_NORMAL = ("nx", "ny", "nz")
_LONGEST_HEADER = 1 << 16
_REMEDY = "Give a PLY point cloud whose vertices come first, as pointloom, MeshLab or CloudCompare write it."


@dataclass(frozen=True, slots=True)
class _Header:
    layout: str
    count: int
    fields: np.dtype
    size: int
    """Bytes up to and with the line end_header."""


def write_ply(path: Path, cloud: PointCloud) -> None:
    """Write a cloud. Positions are float32 and lose digits below a ten-millionth of their size; colours and
    order stay as they are.
    """
    columns = [("x", "<f4", "float"), ("y", "<f4", "float"), ("z", "<f4", "float")]
    if cloud.normals is not None:
        columns += [(name, "<f4", "float") for name in _NORMAL]
    columns += [(name, "u1", "uchar") for name in ("red", "green", "blue")]
    if cloud.conf is not None:
        columns.append(("confidence", "<f4", "float"))
    table = np.empty(len(cloud.points), np.dtype([(name, kind) for name, kind, _ in columns]))
    for axis, name in enumerate("xyz"):
        table[name] = cloud.points[:, axis]
    for channel, name in enumerate(("red", "green", "blue")):
        table[name] = cloud.colours[:, channel]
    if cloud.normals is not None:
        for axis, name in enumerate(_NORMAL):
            table[name] = cloud.normals[:, axis]
    if cloud.conf is not None:
        table["confidence"] = cloud.conf
    lines = ["ply", "format binary_little_endian 1.0", "comment pointloom", f"element vertex {len(table)}"]
    lines += [f"property {kind} {name}" for name, _, kind in columns]
    write_whole(path, ("\n".join([*lines, "end_header"]) + "\n").encode() + table.tobytes())


def read_ply(path: Path) -> PointCloud:
    """Read the vertices of a PLY file; faces are ignored and points without colour are grey.

    Raises `FormatError` for what is not PLY, is cut short, or has no positions.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}). {_REMEDY}") from error
    header = _header(content, path)
    table = (
        _text_table(content, header, path)
        if header.layout == "ascii"
        else _binary_table(content, header, path)
    )
    points = np.stack([table[axis] for axis in "xyz"], axis=1).astype(np.float64)
    if not np.isfinite(points).all():
        raise FormatError(
            f"{path}: holds points that are not finite. Remove them in the program that wrote the file."
        )
    colours = np.full(points.shape, 160, np.uint8)
    if {"red", "green", "blue"} <= set(table.dtype.names or ()):
        levels = np.stack([table[name] for name in ("red", "green", "blue")], axis=1)
        colours = (
            levels.astype(np.uint8)
            if levels.dtype.kind in "ui"
            else np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8)
        )
    conf = table["confidence"].astype(np.float64) if "confidence" in (table.dtype.names or ()) else None
    if conf is not None and not np.isfinite(conf).all():
        raise FormatError(
            f"{path}: holds confidences that are not finite. Remove them in the program that wrote the file."
        )
    return PointCloud(points, colours, conf)


def _header(content: bytes, path: Path) -> _Header:
    end = content.find(b"end_header", 0, _LONGEST_HEADER)
    line_end = content.find(b"\n", end)
    if not content.startswith(b"ply") or end < 0 or line_end < 0:
        raise FormatError(f"{path}: is not a PLY file (no header). {_REMEDY}")
    words = [line.split() for line in content[:end].decode("ascii", "replace").splitlines()]
    layout = next((line[1] for line in words if line[:1] == ["format"] and len(line) > 1), "")
    elements = [line for line in words if line[:1] == ["element"]]
    if (
        layout not in _ORDERS
        or not elements
        or elements[0][1:2] != ["vertex"]
        or len(elements[0]) != 3
        or not elements[0][2].isdigit()
    ):
        raise FormatError(
            f"{path}: its PLY header has no known format or does not begin with vertices. {_REMEDY}"
        )
    start = words.index(elements[0]) + 1
    stop = words.index(elements[1]) if len(elements) > 1 else len(words)
    properties = [line for line in words[start:stop] if line[:1] == ["property"]]
    if any(len(line) != 3 or line[1] not in _TYPES for line in properties) or not set("xyz") <= {
        line[-1] for line in properties
    }:
        raise FormatError(f"{path}: its vertices have no plain x, y, z. {_REMEDY}")
    names = [line[2] for line in properties]
    if len(set(names)) != len(names):
        raise FormatError(f"{path}: a property of its vertices comes twice. {_REMEDY}")
    fields = np.dtype([(line[2], _ORDERS[layout] + _TYPES[line[1]]) for line in properties])
    return _Header(layout, int(elements[0][2]), fields, line_end + 1)


def _binary_table(content: bytes, header: _Header, path: Path) -> np.ndarray:
    if len(content) - header.size < header.count * header.fields.itemsize:
        raise FormatError(
            f"{path}: promises {header.count} points and ends before the last. It was cut short: write or "
            "copy it again."
        )
    return np.frombuffer(content, header.fields, header.count, header.size)


def _text_table(content: bytes, header: _Header, path: Path) -> np.ndarray:
    rows = content[header.size :].decode("ascii", "replace").splitlines()[: header.count]
    names = header.fields.names or ()
    try:
        values = np.array([row.split()[: len(names)] for row in rows], np.float64).reshape(-1, len(names))
    except ValueError as error:
        raise FormatError(
            f"{path}: a line of its points does not hold {len(names)} numbers. {_REMEDY}"
        ) from error
    if len(values) < header.count:
        raise FormatError(
            f"{path}: promises {header.count} points and ends before the last. It was cut short: write or "
            "copy it again."
        )
    table = np.empty(header.count, header.fields)
    for column, name in enumerate(names):
        table[name] = values[:, column]
    return table
