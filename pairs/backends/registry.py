"""Backends by name. Other packages add theirs through the entry points group `pointloom.backends`."""

from __future__ import annotations

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

    Raises `UserError` listing the names when there is none, naming the packages when several offer it, or
    listing the options when this backend has not that one.
    """
    kind, known = _kind(name), option_names(name)
    if unknown := [option for option in options if option not in known]:
        given = ", ".join(f"`{option}={options[option]}`" for option in unknown)
        has = ", ".join(f"`{option}`" for option in known) or "no options"
        raise UserError(
            f"{given}: means nothing to the backend {name}, which has {has}. Omit it, or choose another "
            "backend."
        )
    return kind.make(kind.options(**options), seed)


def option_names(name: str) -> tuple[str, ...]:
    """Return the names of a backend's own options. Raises `UserError` where there is no such backend."""
    return tuple(field.name for field in fields(_kind(name).options))


def _kind(name: str) -> BackendKind[Any]:
    installed = _installed()
    if name not in installed:
        raise UserError(f"`backend={name}`: unknown. Installed: {', '.join(sorted(installed))}.")
    offers = installed[name]
    if len(offers) > 1:
        # Which of them came first on the disk must not decide what is computed.
        packages = sorted(point.dist.name if point.dist is not None else point.value for point in offers)
        raise UserError(
            f"`backend={name}`: the packages {' and '.join(packages)} all offer it. Uninstall all but one."
        )
    return offers[0].load()


def _installed() -> dict[str, list[EntryPoint]]:
    """Return what is offered under each name."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    return found
