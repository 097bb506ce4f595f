"""Where the object is: a cube around scene points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pairs.views.cameras import Cameras, project

_WITHIN_PERCENT = (2.0, 98.0)
"""Per axis: scene points beyond are outliers more often than rims of the object."""
_ROOM = 1.6
"""Half a side in largest half extents: features lie inside the object, and its thin parts have none."""

_MARGIN = 1.15
"""The same around masks, which show all of it: larger voxels take away less."""


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


def covering(volume: Volume, masks: Sequence[np.ndarray], cameras: Cameras) -> Volume:
    """Return the volume, grown to hold what the median mask (H, W) bool shows around its middle.

    Points lie where there is texture. A cube that ends inside the object would let its corners be cut away.
    """
    xy, in_camera = project(cameras, volume.centre[None])
    reaches = []
    for mask, (middle,), (at,), K in zip(masks, xy, in_camera, cameras.K):
        rows, columns = np.nonzero(mask)
        if len(rows) and at[2] > 0:
            far = np.percentile(np.hypot(columns - middle[0], rows - middle[1]), _WITHIN_PERCENT[1])
            reaches.append(_MARGIN * float(far) * at[2] / K[0, 0])
    return replace(
        volume, radius=max([volume.radius, float(np.median(reaches))] if reaches else [volume.radius])
    )
