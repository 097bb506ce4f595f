"""Similarities between two frames, from points or cameras known in both
(docs/dense_alignment.md, "Start").
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import roma
import torch
from torch import Tensor

_LEAST_POINTS = 3
"""Two points leave the turn about their line open."""
_AHEAD = 0.01
"""How far before a camera the point lies that fixes its direction, in median distances between cameras."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """target = scale R source + t, in double precision."""

    scale: Tensor  # ()
    R: Tensor  # (3, 3)
    t: Tensor  # (3,)


UNMOVED = Similarity(
    torch.ones((), dtype=torch.float64),
    torch.eye(3, dtype=torch.float64),
    torch.zeros(3, dtype=torch.float64),
)


def register_points(source: Tensor, target: Tensor, weight: Tensor) -> Similarity | None:
    """Return the similarity of least weighted squared distances between pointmaps (..., 3), with weights
    (...): Umeyama's, whose scale noise in the source shrinks.

    What has weight 0 is never read. Fewer than three other points, or points all in one place, fix nothing.
    """
    present = weight.flatten() > 0
    points = [source.reshape(-1, 3), target.reshape(-1, 3), weight.flatten()]
    if not bool(present.all()):
        chosen = present.nonzero()[:, 0]
        points = [each[chosen] for each in points]
    if len(points[2]) < _LEAST_POINTS:
        return None
    R, t, scale = (x.double() for x in roma.rigid_points_registration(*points, compute_scaling=True))
    return Similarity(scale, R, t) if bool(scale.isfinite() & (scale > 0)) else None


def register_cameras(source: Tensor, target: Tensor) -> Similarity | None:
    """Return the similarity that carries poses world_from_cam (N, 4, 4) of one world onto those of another:
    centres, and points a little way along the optical axes, are registered.

    Cameras all in one place, such as a single one, leave the scale open: then there is none.
    """
    # In the poses' own precision, as published. Of two cameras only the points ahead fix the turn about the
    # line between them: single precision leaves it 1e-3 rad, which the published figures contain.
    spacings = median_spacing(source), median_spacing(target)
    if min(spacings) == 0:
        return None
    marks, wanted = (_marks(poses, _AHEAD * step) for poses, step in zip((source, target), spacings))
    return register_points(marks, wanted, torch.ones_like(marks[:, 0]))


def move_camera(source: Tensor, target: Tensor) -> Similarity:
    """Return the rigid move that carries one pose world_from_cam (4, 4) onto another."""
    source, target = source.double(), target.double()
    R = target[:3, :3] @ source[:3, :3].mT
    return replace(UNMOVED, R=R, t=target[:3, 3] - R @ source[:3, 3])


def carry_points(similarity: Similarity, points: Tensor) -> Tensor:
    """Return points (..., 3) in the target frame, in their dtype."""
    matrix, t = (similarity.scale * similarity.R).to(points), similarity.t.to(points)
    return points @ matrix.mT + t


def after(outer: Similarity, inner: Similarity) -> Similarity:
    """Return the similarity that applies the inner one first."""
    t = outer.scale * (outer.R @ inner.t) + outer.t
    return Similarity(outer.scale * inner.scale, outer.R @ inner.R, t)


def similarity(pose: Tensor) -> Similarity:
    """Return a pose (4, 4) as a similarity of scale 1."""
    pose = pose.double()
    return replace(UNMOVED, R=pose[:3, :3], t=pose[:3, 3])


def rigid_part(similarity: Similarity) -> Tensor:
    """Return its rotation and translation (4, 4), without the scale."""
    matrix = torch.eye(4).to(similarity.R)
    matrix[:3, :3], matrix[:3, 3] = similarity.R, similarity.t
    return matrix


def median_spacing(poses: Tensor) -> float:
    """Return the median distance between two of the cameras (N, 4, 4), 0 of fewer than two; of two middle
    distances their mean.
    """
    return torch.pdist(poses[:, :3, 3]).quantile(0.5).item() if len(poses) > 1 else 0.0


def _marks(poses: Tensor, ahead: float) -> Tensor:
    """Return the centres (N, 3), then points ahead of them."""
    centres = poses[:, :3, 3]
    return torch.cat([centres, centres + ahead * poses[:, :3, 2]])
