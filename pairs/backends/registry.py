"""Backends by name. Other packages add theirs through the entry points group `pointloom.backends`."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from masks.errors import UserError
from pairs.backends.protocol import Backend, BackendKind

GROUP = "pointloom.backends"
"""Each entry point of this group is a `BackendKind`."""


def backend_names() -> tuple[str, ...]:
    """Return the names of all installed backends."""
    return tuple(sorted(_installed()))


def make_backend(name: str, *, seed: int = 0, **options: Any) -> Backend:
    """Return the backend of that name, with some of its own options (docs/backends.md, "Options").

    Raises `UserError` listing the names when there is none, or the options when this backend has not that
    one.
    """
    kind = backend_kind(name)
    known = [field.name for field in fields(kind.options)]
    if unknown := [option for option in options if option not in known]:
        given = ", ".join(f"`{option}={options[option]}`" for option in unknown)
        has = ", ".join(f"`{option}`" for option in known) or "no options"
        raise UserError(f"{given}: means nothing to the backend {name}, which has {has}. Omit it.")
    return kind.make(kind.options(**options), seed)


def backend_kind(name: str) -> BackendKind[Any]:
    """Return what the name stands for. Raises `UserError` listing the names when there is none, or naming the
    distributions when two offer it.
    """
    installed = _installed()
    if name not in installed:
        raise UserError(f"`backend={name}`: unknown. Installed: {', '.join(sorted(installed))}.")
    return installed[name].load()


def _installed() -> dict[str, EntryPoint]:
    found = entry_points(group=GROUP)
    for name, count in Counter(point.name for point in found).items():
        if count > 1:
            owners = sorted({point.dist.name for point in found if point.name == name and point.dist})
            raise UserError(
                f"`backend={name}`: offered by {' and by '.join(owners)}. Uninstall all but one of them."
            )
    return {point.name: point for point in found}
