"""How long work says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Told (stage, done, total) by every long loop; total is 0 while it is unknown."""


def silent(stage: str, done: int, total: int) -> None:
    """Ignore progress."""
