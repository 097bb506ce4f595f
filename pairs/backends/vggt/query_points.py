"""Which points of a photo are followed."""

from __future__ import annotations

import cv2
import numpy as np

from masks.errors import UserError
from masks.mask import holds, shrunk
from masks.notice import first_few

_RIM_PX = 2
"""A point on the silhouette belongs to other surface in every photo."""
_OF_FEATURES = 0.75
"""Share of the points that lie on features, where there are so many; the others lie on a grid, so that plain
surface has some as well."""


def query_points(image: np.ndarray, inside: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` points (N, 2) of an image (H, W, 3) uint8, pixels (x, y), inside a mask (H, W):
    the strongest features and a grid.

    The image should be what the network sees: with the background filled, no point depends on it. An empty
    mask has no points.
    """
    within = shrunk(inside, _RIM_PX)
    within = within if within.any() else inside
    features = _features(image, within, int(_OF_FEATURES * count))
    return np.concatenate([features, _grid(within, count - len(features))])


def require_on_object(queries: np.ndarray, inside: np.ndarray, name: str) -> None:
    """Raise `UserError` when points (N, 2) of a photo lie outside its image, or outside its mask (H, W) on
    that image.
    """
    h, w = inside.shape
    # Written so that NaN is not inside.
    on_image = ((queries >= -0.5) & (queries < (w - 0.5, h - 0.5))).all(1)
    if not on_image.all():
        raise UserError(
            f"{name}: points outside its {w}x{h} pixels cannot be followed: {_listed(queries[~on_image])}. "
            "Give pixels (x, y) of that grid."
        )
    off = ~holds(inside, queries)
    if off.any():
        raise UserError(
            f"{name}: points off the object are not followed: {_listed(queries[off])}. Give points inside "
            "the mask, or mend the mask."
        )


def _listed(points: np.ndarray) -> str:
    return first_few([f"({x:g}, {y:g})" for x, y in points])


def _features(image: np.ndarray, within: np.ndarray, count: int) -> np.ndarray:
    """Return the strongest distinct features (N, 2) inside a mask."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    found = cv2.SIFT_create().detect(grey, within.astype(np.uint8))
    # By place among equal responses, so that the detector's own order does not matter.
    found = sorted(found, key=lambda point: (-point.response, point.pt))
    # One place is a feature once for each of its directions.
    places = list(dict.fromkeys(point.pt for point in found))[:count]
    return np.array(places, float).reshape(-1, 2)


def _grid(within: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` points (N, 2) on an even grid inside a mask."""
    area = int(within.sum())
    if count < 1 or area == 0:
        return np.zeros((0, 2))
    step = max(1, int(np.ceil(np.sqrt(area / count))))
    y, x = np.nonzero(within)
    on_grid = (y % step == step // 2) & (x % step == step // 2)
    points = np.stack([x[on_grid], y[on_grid]], 1).astype(float)
    return points[np.linspace(0, len(points) - 1, min(count, len(points))).astype(int)]
