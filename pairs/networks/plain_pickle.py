"""A pickle's instructions under guard: what a stranger's file may make a reader do with them.

The library's reader asks a key for its hash when it fills a dictionary, and writes out in an error's text
what cannot be called. Of tuples that hold one another twice over, forty deep, either takes years and cannot
be interrupted; torch's weights-only reader does the same.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any, ClassVar

_FLAT = (str, bytes, int, float, type(None))


def require_plain(data: bytes) -> None:
    """Raise an error of any type for a pickle with keys that are no text and no number, with sets, that calls
    what has no name or refers to what is no storage, or that is damaged. Nothing that it names is looked up.
    """
    _NothingUnpickler(io.BytesIO(data), encoding="latin1").load()


def _load_setitem(reader: Any) -> None:
    value, key = reader.stack.pop(), reader.stack.pop()
    reader.stack[-1][_flat(key)] = value


def _load_setitems(reader: Any) -> None:
    items = reader.pop_mark()
    for key, value in zip(items[::2], items[1::2], strict=True):
        reader.stack[-1][_flat(key)] = value


def _load_dict(reader: Any) -> None:
    items = reader.pop_mark()
    reader.append({_flat(key): value for key, value in zip(items[::2], items[1::2], strict=True)})


def _flat(key: object) -> object:
    if not isinstance(key, _FLAT):
        raise pickle.UnpicklingError(f"a key that is a {type(key).__name__}")
    return key


def _refuse(reader: Any) -> None:
    raise pickle.UnpicklingError("an instruction that no file of numbers needs")


def _load_reduce(reader: Any) -> None:
    arguments, called = reader.stack.pop(), reader.stack[-1]
    if not callable(called) or type(arguments) is not tuple:
        raise pickle.UnpicklingError("a call of something that is no function")
    reader.stack[-1] = called(*arguments)


def _load_newobj(reader: Any) -> None:
    arguments, kind = reader.stack.pop(), reader.stack.pop()
    if not isinstance(kind, type) or type(arguments) is not tuple:
        raise pickle.UnpicklingError("an object of something that is no class")
    reader.append(kind.__new__(kind, *arguments))


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
# claims to have, and has no place for guards.
class GuardedUnpickler(pickle._Unpickler):
    """Fills dictionaries by flat keys, and makes no sets; whoever derives from it says which names there
    are.
    """

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **pickle._Unpickler.dispatch,
        pickle.SETITEM[0]: _load_setitem,
        pickle.SETITEMS[0]: _load_setitems,
        pickle.DICT[0]: _load_dict,
        pickle.REDUCE[0]: _load_reduce,
        pickle.NEWOBJ[0]: _load_newobj,
        pickle.NEWOBJ_EX[0]: _refuse,
        pickle.EMPTY_SET[0]: _refuse,
        pickle.ADDITEMS[0]: _refuse,
        pickle.FROZENSET[0]: _refuse,
        pickle.BYTEARRAY8[0]: _load_bytes,
    }


class _Nothing:
    """Stands for whatever a pickle names; it does nothing."""

    def __new__(cls, *_arguments: object, **_named: object) -> _Nothing:
        return super().__new__(cls)

    def __call__(self, *_arguments: object) -> _Nothing:
        return self

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, item: object) -> None:
        pass

    extend = append


class _NothingUnpickler(GuardedUnpickler):
    """Follows a pickle's instructions with nothing in the place of what it names."""

    def find_class(self, module: str, name: str) -> Any:
        return _Nothing

    def persistent_load(self, pid: object) -> Any:
        if type(pid) is not tuple or not all(isinstance(part, _FLAT) or part is _Nothing for part in pid):
            raise pickle.UnpicklingError("a reference to something that is no storage")
        return _Nothing()
