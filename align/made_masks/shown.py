"""Where a user points at the object."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A box around the object in one photo, in pixels of the photo as viewers show it."""

    photo: str
    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Click:
    """A pixel of the object in one photo as viewers show it."""

    photo: str
    x: float
    y: float
    on_object: bool = True
    """False: a pixel of anything else."""
