"""Binary glTF 2.0: a document, its numbers and its pictures as one file."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_COMPONENTS = {"uint16": 5123, "uint32": 5125, "float32": 5126}
_KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
_POINTS_AND_TRIANGLES = {"POINTS": 0, "TRIANGLES": 4}
_ATTRIBUTES, _INDICES = 34962, 34963
_WORD = 4


@dataclass(frozen=True, slots=True)
class Numbers:
    """An accessor: numbers of one kind, row by row."""

    values: np.ndarray  # (N, 1 to 4) float32, uint32, or uint16; rows of whole words of four bytes
    normalized: bool = False
    """Whether whole numbers stand for 0 to 1."""
    bounded: bool = False
    """Whether the least and the largest are stated, as positions need."""

    def stated(self) -> dict[str, Any]:
        """Return the accessor without its buffer view."""
        entry: dict[str, Any] = {
            "componentType": _COMPONENTS[self.values.dtype.name],
            "count": len(self.values),
            "type": _KINDS[self.values.shape[1]],
        }
        if self.normalized:
            entry["normalized"] = True
        if self.bounded:
            entry |= {"min": self.values.min(0).tolist(), "max": self.values.max(0).tolist()}
        return entry


def primitive(mode: str, attributes: Mapping[str, int], **more: int) -> dict[str, Any]:
    """Return a primitive of POINTS or TRIANGLES with the numbers of its accessors; `indices` and `material`
    besides.
    """
    return {"mode": _POINTS_AND_TRIANGLES[mode], "attributes": dict(attributes), **more}


def column_major(transform: np.ndarray) -> list[float]:
    """Return a transform (4, 4) as nodes state it."""
    return transform.T.ravel().tolist()


def glb_bytes(document: Mapping[str, Any], numbers: Sequence[Numbers], pictures: Sequence[bytes]) -> bytes:
    """Return the file of a document that speaks of accessors and images by their places in `numbers` and
    `pictures`, which are files of PNG or JPEG.
    """
    contents = [np.ascontiguousarray(each.values).tobytes() for each in numbers] + list(pictures)
    padded = [content + bytes(-len(content) % _WORD) for content in contents]
    starts = np.cumsum([0, *map(len, padded)]).tolist()
    # Where a graphics card is to hold the numbers; pictures have no such place.
    targets = [{"target": _INDICES if n.values.dtype == np.uint32 else _ATTRIBUTES} for n in numbers]
    whole = dict(document) | {
        "asset": {"version": "2.0", "generator": "pointloom"},
        "bufferViews": [
            {"buffer": 0, "byteOffset": start, "byteLength": len(content), **target}
            for start, content, target in zip(starts[:-1], contents, [*targets, *[{} for _ in pictures]])
        ],
        "accessors": [{"bufferView": k, **each.stated()} for k, each in enumerate(numbers)],
        "images": [
            {"bufferView": k, "mimeType": "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"}
            for k, picture in enumerate(pictures, len(numbers))
        ],
        "buffers": [{"byteLength": starts[-1]}],
    }
    # Names of files need not be text: escaped, every one can be written.
    text = json.dumps(whole, allow_nan=False).encode()
    text += b" " * (-len(text) % _WORD)
    binary = b"".join(padded)
    size = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        [
            struct.pack("<4sII", b"glTF", 2, size),
            struct.pack("<I4s", len(text), b"JSON"),
            text,
            struct.pack("<I4s", len(binary), b"BIN\0"),
            binary,
        ]
    )
