"""glTF's camera for a photo.

It looks along the middle of its picture and has no principal point. So it shows the largest part of the photo
that has the principal point in its middle: all of it where that is the photo's own middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from masks.errors import UserError

_LEAST_SHARE = 0.1  # of the photo's sides: what is narrower shows nothing of the object

LOOK = np.diag([1.0, -1.0, -1.0, 1.0])
"""glTF's camera looks along -z with y up: OpenCV's axes, half a turn about x."""


@dataclass(frozen=True, slots=True)
class LookThrough:
    """A symmetric frustum inside that of a photo."""

    half_width: float
    """At depth 1."""
    half_height: float
    """At depth 1."""
    uv: np.ndarray  # (4, 2): the photo's texture coordinates at `corners`, origin at the top left

    @property
    def corners(self) -> np.ndarray:
        """(4, 3) corners of the picture at depth 1 in glTF's camera axes: lower left, lower right, upper
        right, upper left.
        """
        x, y = self.half_width, self.half_height
        return np.array([(-x, -y, -1), (x, -y, -1), (x, y, -1), (-x, y, -1)])

    @property
    def yfov(self) -> float:
        """Vertical field of view in radians."""
        return 2 * float(np.arctan(self.half_height))

    @property
    def aspect(self) -> float:
        """Width by height."""
        return self.half_width / self.half_height


def look_through(K: np.ndarray, size: tuple[int, int], name: str) -> LookThrough:
    """Return the camera of a pinhole photo of `size` (width, height) with intrinsics K (3, 3).

    Raises `UserError` naming the photo where its principal point is so near to the rim, or beyond it, that
    less than a tenth could be shown.
    """
    # The picture reaches half a pixel beyond the centres of its outermost pixels.
    room = np.minimum(K[:2, 2] + 0.5, np.array(size) - 0.5 - K[:2, 2])
    if (2 * room < _LEAST_SHARE * np.array(size)).any():
        raise UserError(
            f"{name}: its principal point ({K[0, 2]:.0f}, {K[1, 2]:.0f}) is at the rim of the photo, or "
            "beyond it, and cameras of glTF look along the middle of their picture. Export another format."
        )
    half_height = room[1] / K[1, 1]
    half_width = (room[0] - abs(K[0, 1]) * half_height) / K[0, 0]
    shape = LookThrough(float(half_width), float(half_height), np.zeros((4, 2)))
    pixels = (shape.corners @ LOOK[:3, :3] @ K.T)[:, :2]
    return LookThrough(shape.half_width, shape.half_height, (pixels + 0.5) / size)
