"""Engines by the names that the command line takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from masks.errors import UserError
from pairs.engines.engines import Engine, in_this_process
from pairs.engines.ray_engine import in_ray

ENGINES: Mapping[str, Callable[[str], Engine]] = {"process": lambda device: in_this_process, "ray": in_ray}
"""Functions from the device that a model runs on."""


def engine_named(name: str, device: str) -> Engine:
    """Return the engine of that name. Raises `UserError` listing the names when there is none."""
    if name not in ENGINES:
        raise UserError(f"--engine {name}: unknown. Choose one of {', '.join(ENGINES)}.")
    return ENGINES[name](device)
