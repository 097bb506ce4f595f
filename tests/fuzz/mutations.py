"""Small damages to files: of their bytes, and of what the bytes mean, so that damage gets past the first
checks.

Every mutation is a function of bytes and a generator: equal ones give equal bytes.
"""

from __future__ import annotations

import io
import json
import math
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]

_NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    1 << 20,
    0x7FFFFFFF,
    0xFFFFFFFF,
    (1 << 63) - 1,
    (1 << 64) - 1,
)


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, -1, 0.5, -0.0, 1e-320, 1e30, 1e308, -1e308),
    *(math.nan, math.inf, -math.inf, 2**31, 2**63, 10**18, 10**30, 10**400),
    *(
        "",
        "x",
        "0",
        "\0",
        "a\0b",
        "../../x",
        "/etc/hostname",
        "\ud800",
        "\x1b]0;x\x07",
        "a" * 3000,
        "9" * 400,
    ),
    *([], {}, [[]], [0], [0] * 300, {"a": 1}, [None, "x"], _nested(60)),
)
"""What stands where something else belongs."""


def damaged_bytes(data: bytes, rng: Random) -> bytes:
    """Change single bytes and numbers; cut out, double, move and append stretches."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        _damage(changed, rng)
    return bytes(changed)


def _damage(data: bytearray, rng: Random) -> None:
    # Half of the damages are near the beginning, where headers are.
    size = max(1, len(data))
    at = rng.randrange(min(size, 64)) if rng.random() < 0.5 else rng.randrange(size)
    length = rng.choice((1, 2, 4, 8, 16, 64, 300))
    match rng.randrange(8):
        case 0:
            data[at : at + 1] = bytes([(data[at] if data else 0) ^ (1 << rng.randrange(8))])
        case 1:
            data[at : at + 1] = bytes([rng.choice((0, 0xFF, 0x7F, 0x80, rng.randrange(256)))])
        case 2 | 3:
            width, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
            number = rng.choice(_NUMBERS) % (1 << 8 * width)
            data[at : at + width] = number.to_bytes(width, order)
        case 4:
            del data[at : at + length]
        case 5:
            data[at:at] = data[at : at + length] or b"\0"
        case 6:
            data[at:at] = rng.randbytes(length)
        case _:
            del data[at:]


def damaged_json(data: bytes, rng: Random) -> bytes:
    """Change entries of a JSON document."""
    document = json.loads(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        document = _with_odd_entry(document, rng)
    text = json.dumps(document)
    return (("[" * 1000 + text) if rng.random() < 0.01 else text).encode()


def _with_odd_entry(document: Any, rng: Random) -> Any:
    places = list(_places(document))
    if not places or rng.random() < 0.02:
        return deepcopy(rng.choice(ODD))
    holder, key = rng.choice(places)
    match rng.randrange(8):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.insert(key, deepcopy(holder[key]))
        case 1 if isinstance(holder, dict):
            holder[f"{key}x"] = holder.pop(key)
        case 2:
            other, there = rng.choice(places)
            if there in other if isinstance(other, dict) else there < len(other):
                holder[key] = deepcopy(other[there])
        case 3 if type(holder[key]) in (int, float):
            holder[key] = holder[key] * rng.choice((-1, 0, 1e-9, 1.001, 2, 1e9)) + rng.choice((0, 1))
        case _:
            # A copy: it may be changed next.
            holder[key] = deepcopy(rng.choice(ODD))
    return document


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(entries):
        yield node, key
        yield from _places(value)


_TYPES = ("F16", "BF16", "F32", "F64", "F8_E4M3", "I8", "U8", "I16", "I32", "I64", "BOOL")


def damaged_safetensors(data: bytes, rng: Random) -> bytes:
    """Change the header of a safetensors file, or the numbers of one of its arrays."""
    (length,) = struct.unpack_from("<Q", data)
    header, body = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
    names = [name for name in header if name != "__metadata__"]
    entry = header[rng.choice(names)]
    start, stop = entry["data_offsets"]
    match rng.randrange(5):
        case 0:
            return _safetensors(_with_odd_entry(header, rng), body)
        case 1:
            entry["dtype"] = rng.choice(_TYPES)
        case 2:
            shape = entry["shape"]
            entry["shape"] = rng.choice((shape[::-1], [*shape, 1], shape[1:], [0, 5], [1 << 40, 0]))
        case 3:
            kind = {"F16": "<e", "F32": "<f", "F64": "<d"}.get(entry["dtype"], "<B")
            odd = (math.nan, math.inf, -math.inf, 0.0, -1.0, 6e4) if kind != "<B" else (0, 255)
            size = struct.calcsize(kind)
            for _ in range(rng.choice((1, 1, 5, 200))):
                if stop - start >= size:
                    at = start + size * rng.randrange((stop - start) // size)
                    body[at : at + size] = struct.pack(kind, rng.choice(odd))
        case _:
            body[start:stop] = damaged_bytes(bytes(body[start:stop]), rng)
    return _safetensors(header, body)


def _safetensors(header: Any, body: bytes | bytearray) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(body)


def _shared_dictionaries(depth: int) -> bytes:
    """Return dictionaries each of which holds the one before it twice."""
    made = b"}q" + bytes([100])
    for k in range(101, 101 + depth):
        before = b"h" + bytes([k - 1])
        made += b"}q" + bytes([k]) + b"(X\x01\0\0\0a" + before + b"X\x01\0\0\0b" + before + b"u"
    return made


# What pickles are made of, in places where it was not: containers that hold one another, names, numbers.
_SNIPPETS = (
    *(b"N", b"}", b"]", b")", b"(", b"0", b"2", b"K\x05", b"J\xff\xff\xff\x7f", b"\x8a\x09" + b"\xff" * 9),
    *(b"\x86", b"\x87", b"\x85", b"t", b"d", b"l", b"u", b"s", b"e", b"a", b"b", b"R", b"\x81"),
    *(b"\x8f", b"\x91", b"\x90", b"h\x00", b"h\x01", b"h\x05", b"q\x01", b"X\x01\0\0\0x", b"."),
    *(b"cos\nsystem\n", b"cbuiltins\neval\n", b"cnumpy\nndarray\n", b"cargparse\nNamespace\n"),
    b"G\x7f\xf8\0\0\0\0\0\0",
    b"\x8d" + struct.pack("<Q", 1 << 40),
    b"\x96" + struct.pack("<Q", 1 << 40),
    b"I" + b"9" * 5000 + b"\n",
    b"\x85" * 3000,
    b")" + b"2\x86" * 40,
    b"})" + b"2\x86" * 40 + b"K\x01s",
    _shared_dictionaries(40),
)


def damaged_pickle(data: bytes, rng: Random) -> bytes:
    """Change instructions of a pickle, or its bytes."""
    if rng.random() < 0.3:
        return damaged_bytes(data, rng)
    starts = [at for _, _, at in pickletools.genops(data) if at is not None]
    parts = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)])]
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(parts))
        match rng.randrange(5):
            case 0:
                del parts[at]
            case 1:
                parts.insert(at, rng.choice(parts))
            case 2 | 3:
                parts.insert(at, rng.choice(_SNIPPETS))
            case _:
                parts[at] = damaged_bytes(parts[at], rng)
        parts = parts or [b"."]
    return b"".join(parts)


def damaged_torch(data: bytes, rng: Random) -> bytes:
    """Change the pickle or the numbers of a torch file, and put it together again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in entries if name.endswith("data.pkl"))
    if rng.random() < 0.3:
        name = rng.choice(list(entries))
    if rng.random() < 0.05:
        entries[f"{name}x"] = entries.pop(name)
    else:
        entries[name] = (damaged_pickle if name.endswith(".pkl") else damaged_bytes)(entries[name], rng)
    written = io.BytesIO()
    packing = zipfile.ZIP_DEFLATED if rng.random() < 0.05 else zipfile.ZIP_STORED
    with zipfile.ZipFile(written, "w", packing) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return written.getvalue()


def damaged_png(data: bytes, rng: Random) -> bytes:
    """Change chunks of a PNG, with check sums that are right."""
    chunks, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    at = rng.randrange(len(chunks))
    name, body = chunks[at]
    match rng.randrange(5):
        case 0:
            del chunks[at]
        case 1:
            chunks.insert(rng.randrange(len(chunks)), chunks[at])
        case 2:
            names = (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tRNS", b"PLTE", b"acTL", b"fcTL", b"iCCP", b"XXXX")
            chunks.insert(at, (rng.choice(names), rng.randbytes(rng.randrange(40))))
        case _:
            chunks[at] = (name, damaged_bytes(body, rng))
    return data[:8] + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def damaged_glb(data: bytes, rng: Random) -> bytes:
    """Change the document of a GLB, with lengths that are right."""
    (length,) = struct.unpack_from("<I", data, 12)
    text, rest = damaged_json(data[20 : 20 + length], rng), data[20 + length :]
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest


def damaged_text(data: bytes, rng: Random) -> bytes:
    """Change lines and words of a text."""
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        words = lines[at].split(b" ")
        place = rng.randrange(len(words))
        match rng.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, rng.choice(lines))
            case 2:
                del words[place]
                lines[at] = b" ".join(words)
            case 3:
                lines[at] = b" ".join([*words[:place], rng.choice(words), *words[place:]])
            case 4:
                lines[at] = damaged_bytes(lines[at], rng)
            case _:
                words[place] = str(rng.choice(ODD)).encode("utf-8", "replace")
                lines[at] = b" ".join(words)
        lines = lines or [b""]
    return b"\n".join(lines)


BY_ENDING: dict[str, tuple[Mutation, ...]] = {
    ".json": (damaged_json, damaged_json, damaged_json, damaged_bytes),
    ".safetensors": (damaged_safetensors, damaged_safetensors, damaged_bytes),
    ".pkl": (damaged_pickle,),
    ".pth": (damaged_torch, damaged_torch, damaged_torch, damaged_bytes),
    ".pt": (damaged_torch, damaged_torch, damaged_torch, damaged_bytes),
    ".png": (damaged_png, damaged_bytes),
    ".glb": (damaged_glb, damaged_glb, damaged_bytes),
    ".txt": (damaged_text, damaged_bytes),
    ".yml": (damaged_text, damaged_bytes),
    ".yaml": (damaged_text, damaged_bytes),
    ".xml": (damaged_text, damaged_bytes),
}
"""Mutations of a file by the ending of its name; other files have their bytes changed."""


def mutated(name: str, data: bytes, rng: Random) -> bytes:
    """Return a file's content with a damage that fits its ending."""
    choices = BY_ENDING.get(name[name.rfind(".") :], (damaged_bytes,)) if "." in name else (damaged_bytes,)
    return rng.choice(choices)(data, rng)
