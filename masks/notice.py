"""What the report must remember: warnings, things left out, decisions taken on the user's behalf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a notice matters."""

    INFO = "info"
    WARNING = "warning"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Notice:
    """One line of the report. Steps return notices beside their result; nothing is dropped without one."""

    level: Level
    subject: str
    """The file, view or pair it is about; a stage's name where it concerns the whole scene."""
    text: str
    """What happened, why, and what to do about it."""


def info(subject: str, text: str) -> Notice:
    """Return a notice about a decision taken."""
    return Notice(Level.INFO, subject, text)


def warning(subject: str, text: str) -> Notice:
    """Return a notice about something doubtful."""
    return Notice(Level.WARNING, subject, text)


def left_out(subject: str, text: str) -> Notice:
    """Return a notice about a view, pair or entry that takes no part in the result."""
    return Notice(Level.LEFT_OUT, subject, text)


SHOWN = 5
"""Names that a message lists before it says how many more there are."""


def first_few(items: Sequence[str], separator: str = ", ", most: int = SHOWN) -> str:
    """Return the first items, five or as many as said, and the number of the others."""
    more = f"{separator}and {len(items) - most} more" if len(items) > most else ""
    return separator.join(items[:most]) + more
