"""What a network of another size is built from, as JSON beside its weights.

The published networks need none; networks that were trained in other sizes, as all small ones are, do. The
file holds the fields of `VggtConfig` by their names; a head that is
null does not exist, and what is left out is as in the published network.
"""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from masks.errors import FormatError
from masks.reading import read_json, reading, shown
from pairs.networks.vggt.config import VggtConfig

CONFIG_NAME = "config.json"
"""Its name beside the weights."""

_MOST_BYTES, _MOST = 1_000_000, 16_384
# Each is a block that is built, or run, so often.
_REPEATED, _MOST_REPEATED = (".depth.", ".iterations.", ".levels.", ".radius."), 200


def read_config(path: Path) -> VggtConfig | None:
    """Return the configuration in a file; none when it is one of the hub's, which does not say how the
    network is built.

    Raises `FormatError` naming the entry that cannot be.
    """
    remedy = "Remove it for a published network, or write it again."
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        raise FormatError(f"{path}: too large for a configuration. {remedy}")
    stored = read_json(path, remedy, "cannot be read as JSON")
    if not isinstance(stored, dict) or "aggregator" not in stored:
        return None
    with reading(
        path, f"Its entries are the fields of a configuration of VGGT. {remedy}", "describes no VGGT"
    ):
        return _built(VggtConfig, stored, "")


def _built(kind: Any, stored: Any, place: str) -> Any:
    """Return a value of a type, made of what JSON has in its place."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return (
            None
            if stored is None
            else _built(next(each for each in get_args(kind) if each is not type(None)), stored, place)
        )
    if is_dataclass(kind):
        return _record(kind, stored, place)
    if origin is tuple:
        kinds = get_args(kind)
        if not isinstance(stored, list) or len(stored) != len(kinds):
            raise TypeError(f"{place} needs {len(kinds)} values")
        return tuple(_built(each, value, place) for each, value in zip(kinds, stored))
    if origin is Literal:
        return _plain(stored, stored in get_args(kind), place)
    # A stranger's file must not ask for a network that no machine could build.
    if kind is float:
        good = isinstance(stored, int | float) and not isinstance(stored, bool) and abs(stored) <= _MOST
        return float(_plain(stored, good, place))
    if kind is int:
        most = _MOST_REPEATED if place.endswith(_REPEATED) else _MOST
        good = isinstance(stored, int) and not isinstance(stored, bool) and 0 <= stored <= most
        return _plain(stored, good, place)
    return _plain(stored, isinstance(stored, kind), place)


def _record(kind: Any, stored: Any, place: str) -> Any:
    if not isinstance(stored, dict):
        raise TypeError(f"{place} needs named entries")
    hints, known = get_type_hints(kind), {field.name: field for field in fields(kind)}
    if unknown := sorted(set(stored) - set(known)):
        raise TypeError(f"{place}{unknown[0]} is not known")
    if absent := [name for name, field in known.items() if name not in stored and field.default is MISSING]:
        raise TypeError(f"{place}{absent[0]} is missing")
    return kind(**{name: _built(hints[name], value, f"{place}{name}.") for name, value in stored.items()})


def _plain(value: Any, good: bool, place: str) -> Any:
    if not good:
        raise TypeError(f"{place.rstrip('.')} cannot be {shown(value)}")
    return value
