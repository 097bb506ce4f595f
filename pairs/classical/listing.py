"""Long lists in messages."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 5
"""Names or numbers that a message lists before it says how many more there are."""


def first_few(items: Sequence[str], separator: str = ", ") -> str:
    """Return the first five items, and the number of the others."""
    more = f"{separator}and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return separator.join(items[:SHOWN]) + more
