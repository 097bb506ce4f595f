"""What a network of another size is built from, as JSON beside its weights.

The published networks need none; networks that were trained in other sizes, as all small ones are, do. The
file holds the fields of `VggtConfig` by their names; a head that is
null does not exist, and what is left out is as in the published network.
"""

from __future__ import annotations

import json
import types
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from masks.errors import FormatError
from pairs.networks.vggt.config import VggtConfig

CONFIG_NAME = "config.json"
"""Its name beside the weights."""

_MOST_BYTES, _MOST = 1_000_000, 16_384


def read_config(path: Path) -> VggtConfig | None:
    """Return the configuration in a file; none when it is one of the hub's, which does not say how the
    network is built.

    Raises `FormatError` naming the entry that cannot be.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise FormatError(
                f"{path}: too large for a configuration. Remove it, or write what the network is built from."
            )
        stored = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{path}: cannot be read as JSON ({error}). Remove it for a published network, or write it again."
        ) from error
    if not isinstance(stored, dict) or "aggregator" not in stored:
        return None
    try:
        return _built(VggtConfig, stored, "")
    except (TypeError, ValueError) as error:
        raise FormatError(
            f"{path}: {error}. Its entries are the fields of a configuration of VGGT."
        ) from error


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
    if kind is float:
        return float(_plain(stored, isinstance(stored, int | float) and not isinstance(stored, bool), place))
    if kind is int:
        # A stranger's file must not ask for a network that no machine could build.
        return _plain(
            stored, isinstance(stored, int) and not isinstance(stored, bool) and 0 <= stored <= _MOST, place
        )
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
        raise TypeError(f"{place.rstrip('.')} cannot be {value!r}")
    return value
