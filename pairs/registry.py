"""Backends by name. Other packages add theirs through the entry points group `pointloom.backends`."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from masks.errors import UserError
from pairs.backend import Backend

GROUP = "pointloom.backends"
"""Each entry point of this group is a function from a seed to a `Backend`."""


def backend_names() -> tuple[str, ...]:
    """Return the names of all installed backends."""
    return tuple(sorted(_installed()))


def make_backend(name: str, seed: int) -> Backend:
    """Return the backend of that name. Raises `UserError` listing the names when there is none."""
    installed = _installed()
    if name not in installed:
        raise UserError(f"--backend {name}: unknown. Installed: {', '.join(sorted(installed))}.")
    return installed[name].load()(seed)


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
