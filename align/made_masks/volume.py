"""Where the object is: a cube around scene points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_WITHIN_PERCENT = (2.0, 98.0)
"""Per axis: scene points beyond are outliers more often than rims of the object."""
_ROOM = 1.6
"""Half a side in largest half extents: features lie inside the object, and its thin parts have none."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A cube along the world's axes."""

    centre: np.ndarray  # (3,), world
    radius: float
    """Half a side."""


def volume_of(points: np.ndarray) -> Volume:
    """Return the cube around scene points (N, 3), outliers aside. Raises `ValueError` without any."""
    if len(points) == 0:
        raise ValueError("no points, and so no volume")
    low, high = np.percentile(points, _WITHIN_PERCENT, axis=0)
    return Volume((low + high) / 2, _ROOM * float((high - low).max()) / 2)
