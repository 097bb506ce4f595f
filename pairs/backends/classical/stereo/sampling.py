"""Reading maps between their pixels, only where all four corners are valid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def sample_valid(maps: Sequence[np.ndarray], valid: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the maps (H, W) read bilinearly at pixels x, y (N,), float64, and whether all four pixels around lie in the map and are valid (N,).

    Values that are not valid are read at a corner of the map: finite and meaningless.
    """
    h, w = valid.shape
    inside = (x >= 0) & (y >= 0) & (x <= w - 1) & (y <= h - 1)
    # A position on the last row or column counts as the far end of the cell before it.
    column = np.where(inside, np.minimum(x, w - 2), 0).astype(np.intp)
    row = np.where(inside, np.minimum(y, h - 2), 0).astype(np.intp)
    right, down = np.where(inside, x - column, 0.0), np.where(inside, y - row, 0.0)
    first = row * w + column
    corners = [(first, (1 - right) * (1 - down)), (first + 1, right * (1 - down)), (first + w, (1 - right) * down), (first + w + 1, right * down)]
    flat = valid.ravel()
    for index, _ in corners:
        inside = inside & flat[index]
    return [sum((values.ravel()[index] * weight for index, weight in corners), np.zeros(len(x))) for values in maps], inside
