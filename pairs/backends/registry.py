"""Backends by name. Other packages add theirs through the entry points group `pointloom.backends`."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from masks.errors import UserError
from pairs.backends.protocol import Backend, BackendOptions

GROUP = "pointloom.backends"
"""Each entry point of this group is a function from a seed and `BackendOptions` to a `Backend`."""


def backend_names() -> tuple[str, ...]:
    """Return the names of all installed backends."""
    return tuple(sorted(_installed()))


def make_backend(name: str, seed: int = 0, options: BackendOptions | None = None) -> Backend:
    """Return the backend of that name.

    Raises `UserError` listing the names when there is none, naming the packages when several offer it, or
    naming the option that this backend has not.
    """
    installed = _installed()
    if name not in installed:
        raise UserError(f"--backend {name}: unknown. Installed: {', '.join(sorted(installed))}.")
    offers = installed[name]
    if len(offers) > 1:
        # Which of them came first on the disk must not decide what is computed.
        packages = sorted(point.dist.name if point.dist is not None else point.value for point in offers)
        raise UserError(
            f"--backend {name}: the packages {' and '.join(packages)} all offer it. Uninstall all but one."
        )
    return offers[0].load()(seed, options or BackendOptions())


def _installed() -> dict[str, list[EntryPoint]]:
    """Return what is offered under each name."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    return found
