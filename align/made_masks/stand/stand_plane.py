"""The height at which a stand with marks turns: there the photos, straightened, show one picture.

Points tell where to look: few lie on a disc, and a foot has as many at each height.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from align.made_masks.placed_pictures import PlacedPictures, some_placed
from align.made_masks.stand.stand import Stand
from pairs.rings.ring import CircularMotion
from pairs.rings.upright import looked_at, upper_end_of, upright_axis

_LOWEST = 1.0
"""Percent of the points below the place where the search begins: outliers."""
# In units of the cameras' distance from what they look at.
_BEFORE, _BEYOND, _STEP, _FINE_STEP = 0.02, 0.1, 0.003, 0.0005
_RADIUS_PERCENT, _ROOM = 98.0, 1.3
_CELL_PX = 2.0
_TEXTURE, _ALIKE = 12.0, 12.0
"""Grey values: deviation of a neighbourhood of 5 x 5 cells with marks, and of a photo that shows them."""
_LEAST_SEEN, _STANDS_OUT = 0.003, 3.0
"""Share of the cells with marks on which most photos agree, at least, and against that at the median height:
0.046 at the height of a disc with bold marks, 0.0005 at most 0.015 above it."""
_MOST_PHOTOS = 16
_LEAST_STEEP = 0.1
"""Seen along it, a plane shows nothing."""


def find_stand(
    points: np.ndarray, pictures: Sequence[np.ndarray], placed: PlacedPictures, motion: CircularMotion
) -> Stand | None:
    """Return what turns with an object, of which the points (N, 3) are, before cameras whose motion is
    circular; none where no height stands out. Of an object that was turned over between, the stand of the
    first turn.
    """
    if max(motion.turntable) > 0:
        first = [ring.views for ring, table in zip(motion.rings, motion.turntable) if table == 0]
        placed = some_placed(placed, np.sort(np.concatenate(first)))
    cameras = placed.cameras
    usual = np.median(points, axis=0)
    axis, through, _ = upright_axis(cameras, usual, motion)
    axis = axis * upper_end_of(cameras, axis, usual)[0]
    frame = np.stack([*np.linalg.svd(axis[None])[2][1:], axis])
    distance = float(np.median(np.linalg.norm(cameras.centres - looked_at(cameras), axis=1)))
    height = (points - through) @ axis
    across = np.linalg.norm((points - through) @ frame[:2].T, axis=1)
    radius = _ROOM * float(np.percentile(across, _RADIUS_PERCENT))
    grey = [picture.mean(axis=2, dtype=np.float32) for picture in pictures]
    some = np.arange(0, len(placed.photos), -(-len(placed.photos) // _MOST_PHOTOS))
    at_axis = Stand(some_placed(placed, some), frame, through, radius, distance)

    def agreement(level: float) -> float:
        return _agreement(replace(at_axis, middle=through + level * axis), grey)

    low = float(np.percentile(height, _LOWEST))
    levels = low + np.arange(-_BEFORE, _BEYOND, _STEP) * distance
    found = np.array([agreement(level) for level in levels])
    if found.max() < max(_LEAST_SEEN, _STANDS_OUT * float(np.median(found))):
        return None
    best = levels[found.argmax()]
    finer = best + np.arange(-_STEP, _STEP, _FINE_STEP) * distance
    level = finer[np.argmax([agreement(level) for level in finer])]
    stand = Stand(placed, frame, through + level * axis, radius, distance)
    return stand if stand.steepness > _LEAST_STEEP else None


def _agreement(stand: Stand, grey: Sequence[np.ndarray]) -> float:
    """Return the share of a level's cells that have marks, and on which more than half of some of the photos
    (H, W) agree.
    """
    straight, _ = stand.straightened(grey, stand.radius, _CELL_PX)
    stack = np.stack(straight)
    usual = np.median(stack, axis=0)
    variance = cv2.blur(usual**2, (5, 5)) - cv2.blur(usual, (5, 5)) ** 2
    steps = np.linspace(-1, 1, len(usual))
    marked = (variance > _TEXTURE**2) & (np.hypot(steps, steps[:, None]) < 1)
    alike = (np.abs(stack[:, marked] - usual[marked]) < _ALIKE).mean(axis=0)
    return float((alike > 0.5).sum() / marked.size)
