"""Views that stand where others stand: the sign of a fold in which even neighbours agree.

When photos are so far apart that the only matches between neighbours are those of look-alike sides, every test by matches passes, and the views
collapse onto a few places. A turntable that went round more than once looks the same, so this is a doubt and no proof.
"""

from __future__ import annotations

import numpy as np
import roma
import torch

from pairs.backends.classical.sfm.mapper import MapperModel

_SAME_PLACE = 0.25
"""Share of the usual step between neighbours within which two views stand at one place, in angle and in distance."""
_MIN_STEPS = 3


def coinciding_views(model: MapperModel, num_views: int) -> tuple[int, ...]:
    """Return the placed views that share their place with a view that is no neighbour in file order, ascending."""
    placed = np.array(model.placed)
    R = torch.from_numpy(model.cameras.cam_from_world[:, :3, :3])
    angle = roma.rotmat_geodesic_distance(R[:, None], R[None]).numpy()  # (P, P), radians
    centres = model.cameras.centres
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    apart = np.abs(placed[:, None] - placed[None])
    apart = np.minimum(apart, num_views - apart)  # (P, P), files, the last being a neighbour of the first
    steps = apart == 1
    if steps.sum() < 2 * _MIN_STEPS:
        return ()
    same = (angle < _SAME_PLACE * np.median(angle[steps])) & (distance < _SAME_PLACE * np.median(distance[steps])) & (apart > 1)
    return tuple(int(view) for view in placed[same.any(1)])
