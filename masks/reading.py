"""Reading files that others wrote: damaged or hostile bytes end in one error that names the file and says
what to do (docs/robustness.md, "Every reader").
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from masks.errors import FormatError, PointloomError, UserError
from masks.memory import is_out_of_memory

IN_WORDS = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}
"""What the types of JSON are called in messages."""

_LONGEST_SHOWN = 60
_LONGEST_REASON = 160
_MOST_DIGITS = 18
"""Of a whole number: what follows is read as a float, which numbers of any length fit into."""
_MOST_JSON_BYTES = 1 << 28


@contextmanager
def reading(
    path: Path | str, remedy: str, what: str = "is damaged", kind: type[UserError] = FormatError
) -> Iterator[None]:
    """Turn whatever a library raises of a file's bytes inside the block into an error of that kind: the file,
    what is wrong, why, and the remedy. Our own errors pass.
    """
    try:
        yield
    except PointloomError:
        raise
    # Damaged bytes were seen to raise two dozen types, AssertionError and NotImplementedError among them; the
    # blocks hold libraries' readers and the parsing of what they gave, and nothing else.
    except Exception as error:
        if is_out_of_memory(error):
            remedy = "Close other programs, or give a smaller one."
            raise kind(f"{path}: there is not enough memory to read it. {remedy}") from error
        # Libraries raise OSErrors without a number, too: these mean the bytes, not the disk.
        if isinstance(error, OSError) and error.strerror is not None:
            raise kind(f"{path}: cannot be read ({error.strerror}). {remedy}") from error
        raise kind(f"{path}: {what} ({reason(error)}). {remedy}") from error


def reason(error: BaseException) -> str:
    """Return what an error says as one short line, with its type where it says little."""
    text = " ".join(str(error)[: 4 * _LONGEST_REASON].split())
    text = "".join(c if c.isprintable() else "?" for c in text)[:_LONGEST_REASON]
    if isinstance(error, KeyError):
        return f"{text} is missing"
    if text and isinstance(error, ValueError | TypeError | OSError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def shown(value: object) -> str:
    """Return a value from a file for a message: short and in one line, whatever it is."""
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}...")
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int):
        return repr(value) if value.bit_length() < 64 else "a number of too many digits"
    # Not its repr: containers that hold one another would be written out a billion times.
    return IN_WORDS.get(type(value), f"a {type(value).__name__}")


def read_json(path: Path, remedy: str, what: str = "is not JSON") -> Any:
    """Return what a JSON file (UTF-8) holds. Raises `FormatError` when it is missing, too large, nested too
    deeply or no JSON.
    """
    with reading(path, remedy, what):
        if path.stat().st_size > _MOST_JSON_BYTES:
            raise FormatError(f"{path}: {path.stat().st_size} bytes are too many for JSON. {remedy}")
        return json.loads(path.read_bytes().decode("utf-8-sig"), parse_int=_whole)


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def read_array_file(path: Path, remedy: str) -> dict[str, np.ndarray]:
    """Return the arrays of a safetensors file. Raises `FormatError` when it is missing or damaged, or holds
    numbers that NumPy does not know, such as bfloat16.
    """
    with reading(path, remedy):
        return load_file(path)
