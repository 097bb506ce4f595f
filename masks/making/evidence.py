"""What speaks for the object and what for the backdrop, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STRONGEST = 5.0
"""Evidence beyond this is not believed more: one source must not outweigh all others together."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One number a pixel of each working picture, whatever road it came by."""

    logits: tuple[np.ndarray, ...]  # V times (H, W) float32, within ±STRONGEST; positive = object
    road: str
    """Where it came from, in words: "a backdrop that stands still"."""
    only_light: tuple[np.ndarray, ...] = ()
    """V times (H, W) bool: what differs from the backdrop as a shadow does, and could be one; none where no
    such thing is taken for the object."""
