"""A network in an ONNX file of two hundred bytes, written without the package onnx."""

from __future__ import annotations

import struct


def red_is_salient(side: int = 320) -> bytes:
    """Return a model whose chance is sigmoid(4 (red - blue)) of its normalised input."""
    weight = struct.pack("<3f", 4.0, 0.0, -4.0)
    tensor = (
        _int(1, 1) + _int(1, 3) + _int(1, 1) + _int(1, 1) + _int(2, 1) + _text(8, "w") + _bytes(9, weight)
    )
    # ONNX lets the kernel's size be omitted, which no exporter does and older OpenCV does not read.
    kernel = _bytes(5, _text(1, "kernel_shape") + _int(8, 1) + _int(8, 1) + _int(20, 7))
    nodes = _bytes(1, _node("Conv", ("x", "w"), "y") + kernel) + _bytes(1, _node("Sigmoid", ("y",), "p"))
    graph = (
        nodes
        + _text(2, "tiny")
        + _bytes(5, tensor)
        + _bytes(11, _value("x", (1, 3, side, side)))
        + _bytes(12, _value("p", (1, 1, side, side)))
    )
    return _int(1, 8) + _bytes(7, graph) + _bytes(8, _text(1, "") + _int(2, 13))


def _node(kind: str, inputs: tuple[str, ...], output: str) -> bytes:
    return b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(3, output) + _text(4, kind)


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    sizes = b"".join(_bytes(1, _int(1, size)) for size in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _int(1, 1) + _bytes(2, sizes)))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _int(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())
