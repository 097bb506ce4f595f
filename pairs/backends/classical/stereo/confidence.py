"""How sure a depth is, by the neighbours that agree (the embedded backend's specification, chapter 11).

The aligner weighs what it reads by confidence and drops the least, so a wrong depth must not look sure.
"""

from __future__ import annotations

import numpy as np

CONFIDENT = 1.5
"""Confidence from which a pixel takes part in matches and in the scene's scale."""


def confidence(agree: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return 1 + 15 (agree / (seen + 1/2))^2 as float32: exactly 1 where nobody agrees, 12.9 where four of four do.

    The matching cost has no place in it: among pixels with equal agreement it says nothing about their error.
    """
    share = agree.astype(np.float32) / (seen.astype(np.float32) + np.float32(0.5))
    return 1 + 15 * share * share
