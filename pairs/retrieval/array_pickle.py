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
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from masks.reading import reading, shown
from pairs.networks.plain_pickle import GuardedUnpickler

_TYPES = ("f2", "f4", "f8", "i4", "i8")
_MOST_AXES = 4


def read_arrays(data: bytes, name: str) -> Any:
    """Return what a pickle holds. Raises `FormatError`, naming the file, when it is damaged or holds anything
    but plain arrays.
    """
    remedy = "Nothing in it was run. Get the file again from where it was published."
    with reading(name, remedy, "not a pickle of plain arrays"):
        return _plain(_ArrayUnpickler(io.BytesIO(data)).load(), {})


class _Dtype:
    """Stands for `numpy.dtype` while a pickle is read."""

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if code not in _TYPES:
            raise pickle.UnpicklingError(f"numbers of type {shown(code)}; known are {', '.join(_TYPES)}")
        self._code, self._order = code, "<"

    def __setstate__(self, state: tuple) -> None:
        if state[1] not in ("<", ">"):
            raise pickle.UnpicklingError(f"byte order {shown(state[1])}")
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
        raise pickle.UnpicklingError(f"a text in {shown(encoding)}")
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
    sides = [side for side in shape if isinstance(side, int) and 0 <= side <= len(data)]
    if len(sides) != len(shape) or len(shape) > _MOST_AXES:
        raise pickle.UnpicklingError("an array of a shape that cannot be")
    if math.prod(sides) * dtype.numpy().itemsize != len(data):
        raise pickle.UnpicklingError(f"{len(data)} bytes for an array of shape {shape}")
    # Not a copy: a file may name the same bytes for a thousand arrays.
    return np.frombuffer(data, dtype.numpy()).reshape(shape, order="F" if order == "F" else "C")


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


class _ArrayUnpickler(GuardedUnpickler):
    """Finds the names of arrays, and no others."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name. Raises `UnpicklingError` for all that is no part of an array."""
        if (module, name) not in _NAMES:
            raise pickle.UnpicklingError(f"it wants {module}.{name}")
        return _NAMES[module, name]


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """Return dictionaries with their records turned into arrays; `done` are those that are, by identity."""
    # A dictionary that is in two places stays one: unfolded, forty that hold one another twice over would be
    # a million million.
    if isinstance(value, dict):
        if id(value) not in done:
            done[id(value)] = plain = {}
            plain |= {key: _plain(entry, done) for key, entry in value.items()}
        return done[id(value)]
    return value.values if isinstance(value, _Array) else value
