"""Pickles that hold nothing but numbers: arrays, dictionaries, strings
(docs/pair_networks.md, "Retrieval files").

A pickle may name any function of any module and have it called. Here only the few names that NumPy writes for
an array mean anything, and even these do not reach NumPy: they are replaced by records that take bytes and
shape and check both.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from masks.errors import FormatError

_TYPES = ("f2", "f4", "f8", "i4", "i8")
_DAMAGE = (
    pickle.UnpicklingError,
    struct.error,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What reading a damaged pickle may raise."""


def read_arrays(data: bytes, name: str) -> Any:
    """Return what a pickle holds. Raises `FormatError`, naming the file, when it is damaged or holds anything
    but plain arrays.
    """
    try:
        return _plain(_ArrayUnpickler(io.BytesIO(data)).load())
    except _DAMAGE as error:
        remedy = "Nothing in it was run. Get the file again from where it was published."
        raise FormatError(f"{name}: not a pickle of plain arrays ({error}). {remedy}") from error


class _Dtype:
    """Stands for `numpy.dtype` while a pickle is read."""

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if code not in _TYPES:
            raise pickle.UnpicklingError(f"numbers of type {code!r}; known are {', '.join(_TYPES)}")
        self._code, self._order = code, "<"

    def __setstate__(self, state: tuple) -> None:
        if state[1] not in ("<", ">"):
            raise pickle.UnpicklingError(f"byte order {state[1]!r}")
        self._order = state[1]

    def numpy(self) -> np.dtype:
        """Return the type itself."""
        return np.dtype(self._order + self._code)


class _Array:
    """Stands for an array while a pickle is read."""

    def __init__(self) -> None:
        self.values = np.empty(0)

    def __setstate__(self, state: tuple) -> None:
        _version, shape, dtype, fortran, data = state
        self.values = _array(data, dtype, shape, "F" if fortran else "C")


def _reconstruct(_type: object, _shape: object, _code: object) -> _Array:
    """Return an empty record: shape and numbers come with its state."""
    return _Array()


def _from_buffer(data: object, dtype: object, shape: object, order: object) -> _Array:
    """Return an array as protocol 5 writes it."""
    array = _Array()
    array.values = _array(data, dtype, shape, order)
    return array


def _encode(text: object, encoding: object) -> bytes:
    """Return bytes as protocol 2 writes them: as a text of their numbers."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError(f"a text in {encoding!r}")
    return text.encode("latin1")


def _array(data: object, dtype: object, shape: object, order: object) -> np.ndarray:
    """Return the array of some bytes, whose number must be that of type and shape: no memory is taken on a
    file's word.
    """
    if not (
        isinstance(dtype, _Dtype)
        and isinstance(data, bytes | bytearray)
        and isinstance(shape, tuple)
        and order in ("C", "F")
    ):
        raise pickle.UnpicklingError("an array without type, shape or bytes")
    if not all(isinstance(side, int) and side >= 0 for side in shape) or math.prod(
        shape
    ) * dtype.numpy().itemsize != len(data):
        raise pickle.UnpicklingError(f"{len(data)} bytes for an array of shape {shape}")
    return np.frombuffer(data, dtype.numpy()).reshape(shape, order="F" if order == "F" else "C").copy()


def _ndarray(*_arguments: object) -> object:
    """Refuse to make an array of a size that nothing vouches for; the name itself stands beside
    every array.
    """
    raise pickle.UnpicklingError("an array without its numbers")


class _Name:
    """Stands for a name of a pickle: it can be called, and nothing about it can be changed."""

    def __init__(self, make: Callable[..., object]) -> None:
        self._make = make

    def __call__(self, *arguments: object) -> object:
        return self._make(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("it changes a function")


_NAMES: Mapping[tuple[str, str], _Name] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Name(_reconstruct) for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Name(_from_buffer) for core in ("core", "_core")},
    ("numpy", "ndarray"): _Name(_ndarray),
    ("numpy", "dtype"): _Name(_Dtype),
    ("_codecs", "encode"): _Name(_encode),
}


def _load_bytes(reader: Any) -> None:
    """Put bytes on the stack that can be changed; the library's own version takes memory for them before it
    looks whether they are there.
    """
    (size,) = struct.unpack("<Q", reader.read(8))
    data = reader.read(size)
    if len(data) != size:
        raise pickle.UnpicklingError("the file ends too early")
    reader.append(bytearray(data))


# The reader in plain Python: the fast one takes memory for as many remembered objects as a damaged file
# claims to have.
class _ArrayUnpickler(pickle._Unpickler):
    """Finds the names of arrays, and no others."""

    dispatch: ClassVar = {**pickle._Unpickler.dispatch, pickle.BYTEARRAY8[0]: _load_bytes}

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name. Raises `UnpicklingError` for all that is no part of an array."""
        if (module, name) not in _NAMES:
            raise pickle.UnpicklingError(f"it wants {module}.{name}")
        return _NAMES[module, name]


def _plain(value: Any) -> Any:
    """Return dictionaries with their records turned into arrays."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return value.values if isinstance(value, _Array) else value
