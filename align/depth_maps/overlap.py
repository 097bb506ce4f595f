"""Which other views can say something of a view's points, and which of them are enough
(docs/sparse_alignment.md, "Cleaning").
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from pairs.graph.farthest_points import farthest_points


def views_to_compare(
    clouds: Sequence[np.ndarray],  # per view (3, N), world
    pixels_from_world: np.ndarray,  # (V, 3, 4)
    sizes: np.ndarray,  # (V, 2), width and height
    most_views: int | None = None,
) -> list[np.ndarray]:
    """Return for every view the others that may see a point of it, or `most_views` of them if there are more.

    Taken first are those that lead an order of all views in which each camera stands as far as possible from
    those before it. A wrong point shows from aside and from behind, where it hangs in the air; neighbours see
    it where its own view does, and every further one removes right points, since surfaces never agree wholly.
    """
    centres = -np.linalg.solve(pixels_from_world[:, :, :3], pixels_from_world[:, :, 3:])[..., 0]
    # Cameras at one place see the same, wherever they look: the distance is that of places.
    distance = np.linalg.norm(centres[:, None] - centres, axis=-1)
    order = np.array(farthest_points(distance, len(clouds), 0).views)
    compared = []
    for view, cloud in enumerate(clouds):
        seeing = _may_see(cloud, pixels_from_world, sizes)
        compared.append(order[seeing[order] & (order != view)][:most_views])
    return compared


def _may_see(cloud: np.ndarray, pixels_from_world: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return (V,) bool: false where the box about the points lies wholly beyond one side of what a view sees.

    A pixel is added to each side, which is far more than rounding can move a point.
    """
    if cloud.shape[1] == 0:
        return np.zeros(len(sizes), bool)
    corners = np.array(list(product(*zip(cloud.min(1), cloud.max(1))))).T  # (3, 8)
    in_pixels = (
        pixels_from_world[:, :, :3] @ corners + pixels_from_world[:, :, 3:]
    )  # (V, 3, 8), not yet divided
    x, y, z = np.moveaxis(in_pixels, 1, 0)
    width, height = sizes.T[..., None]
    beyond = (z <= 0, x < -z, x > width * z, y < -z, y > height * z)
    return ~np.any([side.all(1) for side in beyond], 0)
