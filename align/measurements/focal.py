"""Focal lengths from pointmaps (docs/sparse_alignment.md, "Focal length")."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor

from align.pinhole import pixel_grid

FocalEstimator = Literal["weiszfeld", "median"]

_WEISZFELD_ROUNDS = 10  # as published
_CLOSEST = 1e-8  # a residual below this no longer gains weight


def estimate_focal(
    pointmap: Tensor,  # (B, H, W, 3), own camera frame
    principal_point: Tensor,  # (B, 2) or (2,), pixels
    estimator: FocalEstimator = "weiszfeld",
    limits: tuple[float, float] = (0.5, 3.5),
) -> Tensor:
    """Return the focal (B,) in pixels that best projects every point onto its own pixel.

    `limits` are multiples of the focal of a 60 degree lens on the longer side. All pixels count, and none has
    a weight.
    """
    height, width = pointmap.shape[-3:-1]
    pixels = pixel_grid(height, width, pointmap) - principal_point.to(pointmap).reshape(-1, 1, 2)  # (B, N, 2)
    points = pointmap.reshape(len(pointmap), -1, 3)
    focal = median_focal(points, pixels) if estimator == "median" else weiszfeld_focal(points, pixels)
    return limit_focal(focal, (width, height), limits)


def masked_focal(
    pointmap: Tensor,  # (H, W, 3)
    principal_point: Tensor,  # (2,)
    mask: Tensor,  # (H, W) bool
    limits: tuple[float, float] = (0.5, 3.5),
) -> Tensor:
    """Return the focal () of the object's pixels alone; what lies outside the mask is never read. An empty
    mask gives NaN.
    """
    height, width = mask.shape
    pixels = (pixel_grid(height, width, pointmap) - principal_point.to(pointmap)).reshape(height, width, 2)
    focal = weiszfeld_focal(pointmap[mask][None], pixels[mask][None])
    return limit_focal(focal, (width, height), limits)[0]


def median_focal(points: Tensor, pixels: Tensor) -> Tensor:
    """Return the median (B,) of the votes of both coordinates; 0/0 has no vote, x/0 votes infinity.

    `points` are (B, N, 3), `pixels` (B, N, 2) relative to the principal point.
    """
    votes = pixels * points[..., 2:] / points[..., :2]  # (B, N, 2)
    return votes.flatten(1).nanmedian(dim=1).values


def weiszfeld_focal(points: Tensor, pixels: Tensor) -> Tensor:
    """Return the focal (B,) with the least sum of pixel distances. Shapes as in `median_focal`."""
    # A point without depth has no direction: its ray counts as the optical axis, as in the reference.
    rays = (points[..., :2] / points[..., 2:]).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
    return weiszfeld_scale(rays, pixels)


def weiszfeld_scale(source: Tensor, target: Tensor) -> Tensor:
    """Return the factor (B,) of vectors (B, N, D) with the least sum of distances to others, by ten
    reweighted least squares.
    """
    along, square = (source * target).sum(-1), (source * source).sum(-1)  # (B, N)
    factor = along.mean(1) / square.mean(1)
    for _ in range(_WEISZFELD_ROUNDS):
        distance = (target - factor[:, None, None] * source).norm(dim=-1)
        weight = 1 / distance.clamp(min=_CLOSEST)
        factor = (weight * along).mean(1) / (weight * square).mean(1)
    return factor


def limit_focal(focal: Tensor, size: tuple[int, int], limits: tuple[float, float]) -> Tensor:
    """Return the focal within the limits, given in focals of a 60 degree lens."""
    base = max(size) / (2 * math.tan(math.radians(30)))
    return focal.clamp(limits[0] * base, limits[1] * base)
