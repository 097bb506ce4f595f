"""Lower the confidence of points that stand in front of what another view sees
(docs/sparse_alignment.md, "Cleaning").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from align.depth_maps.dense_view import DenseView
from align.depth_maps.overlap import views_to_compare


@dataclass(frozen=True, slots=True)
class CleanOptions:
    """What counts as a contradiction, and who is asked. As they are: the reference's."""

    tolerance: float = 0.001
    """A point is in front of another view's surface when it is nearer by more than this share of the
    depth."""
    bad_conf: float = 0.0
    """What is left of a contradicted point's confidence, at most."""
    most_views: int | None = None
    """Other views that each one is compared with; none: all that can see a point of it."""


def clean(
    dense: Sequence[DenseView],
    K: Tensor,  # (V, 3, 3)
    cam_from_world: Tensor,  # (V, 4, 4)
    options: CleanOptions,
) -> list[DenseView]:
    """Return the views with the confidence of contradicted points lowered.

    A point of view i is contradicted by view j when it lies in front of what j sees there with a higher
    confidence. Views are taken in order and confidences already lowered count as such, so the result depends
    on the order. Pixels without a point (NaN) neither contradict nor are contradicted.

    Time grows with points x views that each is compared with, some 10 ns each. Memory: a map of the nearest
    allowed depths and one of confidences a view, 0.6 MB at 224 x 160, and its points once more.
    """
    pixels_from_world = (K @ cam_from_world[:, :3]).numpy()
    sights = [_sight(view, options.tolerance) for view in dense]
    sizes = np.array([view.depth.shape[::-1] for view in dense])
    clouds = [sight.points for sight in sights]
    for sight, others in zip(sights, views_to_compare(clouds, pixels_from_world, sizes, options.most_views)):
        conf = sight.conf[1:-1, 1:-1][sight.held]
        # One contradiction is enough, so it does not matter in which order the others are asked.
        bad = np.zeros(len(conf), bool)
        for other in others:
            front, place = _in_front(sight.points, pixels_from_world[other], sights[other].limit)
            bad[front[conf[front] < sights[other].conf.ravel()[place]]] = True
        conf[bad] = np.minimum(conf[bad], options.bad_conf)
        sight.conf[1:-1, 1:-1][sight.held] = conf
    cleaned = [torch.from_numpy(sight.conf[1:-1, 1:-1].copy()) for sight in sights]
    return [replace(view, conf=conf) for view, conf in zip(dense, cleaned)]


@dataclass(frozen=True, slots=True)
class _Sight:
    """A view's points and what it sees, with a border of one pixel that stands for all that lies outside."""

    held: np.ndarray  # (H, W) bool, pixels with a point
    points: np.ndarray  # (3, N), world
    limit: np.ndarray  # (H + 2, W + 2), what lies nearer is in front; NaN where nothing is seen
    conf: np.ndarray  # (H + 2, W + 2)


def _sight(view: DenseView, tolerance: float) -> _Sight:
    # Only pixels with a point are carried from view to view: of a masked photo that is a small part.
    held = torch.isfinite(view.points).all(-1).numpy()
    points = np.ascontiguousarray(view.points.numpy()[held].T)
    limit = np.pad((1 - tolerance) * view.depth.numpy(), 1, constant_values=np.nan)
    return _Sight(held, points, limit, np.pad(view.conf.numpy(), 1))


def _in_front(
    points: np.ndarray, pixels_from_world: np.ndarray, limit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return which of points (3, N) lie in front of what a camera sees, and their places in its raveled maps.

    The nearest pixel counts, halves go to the even one.
    """
    height, width = limit.shape
    x, y, z = pixels_from_world[:, :3] @ points + pixels_from_world[:, 3:]
    # In place, on rows that stay in the processor's cache: a scene of many views spends its time here.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x /= z
        y /= z
        for along, longest in ((x, width), (y, height)):
            np.rint(along, out=along)
            np.clip(along, -1, longest - 2, out=along)
        y += 1
        y *= width
        y += x
        y += 1
        place = y.astype(np.intp)
        # A point in the camera plane may be at no place at all (NaN), which is cut to one in the border.
        front = np.flatnonzero(z < limit.ravel().take(place, mode="clip"))
    front = front[z[front] > 0]
    return front, place[front]
