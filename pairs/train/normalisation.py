"""The size of a pair's point cloud, and what is free in it: scale and shift
(docs/training.md, "Regression of points").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

NormMode = Literal["avg_dis", "avg_log1p", "avg_warp-log1p", "median_dis", "sqrt_dis"]
"""How the size of a cloud is measured: the mean distance, the mean of its logarithm, the same after the
points are warped, the median
distance, the squared mean root of the distance."""

NORM_MODES: tuple[str, ...] = get_args(NormMode)

LEAST_NORM = 1e-8
"""Distances below it count as it where a point is divided by its own."""
_COUNT_EPSILON = 1e-8  # the papers' losses have it under every mean
_LEAST_SIZE = 1e-8  # of a cloud
_SCALE_RANGE = (1e-3, 1e3)  # of a predicted cloud, before it is divided by its scale

Clouds = tuple[Tensor, Tensor]
"""Of the views a and b of each pair: points (B, H, W, 3) in one frame, or masks (B, H, W)."""


def log_warped(points: Tensor) -> Tensor:
    """Return points (..., 3) moved along their rays: a distance d becomes log(1 + d)."""
    distance = points.norm(dim=-1, keepdim=True)
    return points / distance.clamp(min=LEAST_NORM) * distance.log1p()


def normalised(points: Clouds, valid: Clouds, mode: NormMode) -> tuple[Clouds, Tensor]:
    """Return both clouds of each pair divided by their common size, and the sizes (B,)."""
    if mode == "avg_warp-log1p":
        points = (log_warped(points[0]), log_warped(points[1]))
    size = _SIZES[mode](_distances(points), _joined(valid)).clamp(min=_LEAST_SIZE)
    return divided(points, size), size


def divided(points: Clouds, size: Tensor) -> Clouds:
    """Return both clouds of each pair divided by its size (B,)."""
    return points[0] / _per_pair(size), points[1] / _per_pair(size)


def depth_centred(points: Clouds, valid: Clouds) -> Clouds:
    """Return both clouds moved along z so that the median depth of their valid points is 0; nothing flows
    back through the median.
    """
    depth = torch.cat([points[0][..., 2].flatten(1), points[1][..., 2].flatten(1)], 1)
    shift = torch.zeros_like(points[0][:, 0, 0])  # (B, 3)
    # Along z only: a network that is judged up to shift errs in depth, not sideways.
    shift[:, 2] = masked_median(depth.detach(), _joined(valid), 0.0)
    return points[0] - _per_pair(shift), points[1] - _per_pair(shift)


def spread(points: Clouds, valid: Clouds) -> Tensor:
    """Return the median distance (B,) of the valid points to their median point, without gradient; 1 without
    valid points.
    """
    cloud, mask = _cloud(points).detach(), _joined(valid)
    centre = torch.stack([masked_median(cloud[..., axis], mask, 0.0) for axis in range(3)], -1)
    return masked_median((cloud - centre[:, None]).norm(dim=-1), mask, 1.0)


def rescaled(predicted: Clouds, truth: Clouds, valid: Clouds, keep_truth: bool) -> tuple[Clouds, Clouds]:
    """Return both sides with their spread divided out; when the truth is kept, the prediction is brought to
    its spread.
    """
    spread_truth, spread_predicted = (
        spread(truth, valid).clamp(min=_LEAST_SIZE),
        spread(predicted, valid).clamp(*_SCALE_RANGE),
    )
    if keep_truth:
        return divided(predicted, spread_predicted / spread_truth), truth
    return divided(predicted, spread_predicted), divided(truth, spread_truth)


def masked_median(values: Tensor, mask: Tensor, empty: float) -> Tensor:
    """Return the median (B,) of the masked values (B, N), the lower of two middle ones; `empty` where nothing
    is masked.
    """
    # Torch's median is the lower of two middle values, and the published figures are made with it; numpy's
    # would be their mean.
    median = torch.where(mask, values, torch.nan).nanmedian(dim=1).values
    return torch.where(mask.any(1), median, empty)


def _mean_distance(distance: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid, distance, 0).sum(1) / (valid.sum(1) + _COUNT_EPSILON)


def _mean_log(distance: Tensor, valid: Tensor) -> Tensor:
    return _mean_distance(distance.log1p(), valid)


def _median_distance(distance: Tensor, valid: Tensor) -> Tensor:
    return masked_median(distance.detach(), valid, 1.0)


def _squared_mean_root(distance: Tensor, valid: Tensor) -> Tensor:
    # The root is infinitely steep at 0, and infinity times the mask's 0 is no number: such distances are set
    # to a constant before it.
    return (_mean_distance(distance.clamp(min=torch.finfo(distance.dtype).tiny).sqrt(), valid)) ** 2


_SIZES: dict[NormMode, Callable[[Tensor, Tensor], Tensor]] = {
    "avg_dis": _mean_distance,
    "avg_log1p": _mean_log,
    "avg_warp-log1p": _mean_distance,  # of the warped points
    "median_dis": _median_distance,
    "sqrt_dis": _squared_mean_root,
}


def _cloud(points: Clouds) -> Tensor:
    """Return the points (B, N, 3) of both views."""
    return torch.cat([points[0].flatten(1, 2), points[1].flatten(1, 2)], 1)


def _distances(points: Clouds) -> Tensor:
    return _cloud(points).norm(dim=-1)


def _joined(valid: Clouds) -> Tensor:
    return torch.cat([valid[0].flatten(1), valid[1].flatten(1)], 1)


def _per_pair(values: Tensor) -> Tensor:
    """Return numbers (B,) or vectors (B, 3) in a shape that broadcasts over pointmaps."""
    return values.reshape(len(values), 1, 1, -1)
