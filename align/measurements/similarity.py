"""Relative poses and scales of pairs from their pointmaps alone
(docs/bundle_alignment.md, "Similarities of pointmaps"), all pairs at once.

A pixel of view j has a point in j's own frame and one in i's frame: the same physical point twice, so a
similarity i_from_j follows without matches.
"""

from __future__ import annotations

from dataclasses import dataclass

import roma
import torch
from torch import Tensor

_ROUNDS = 5
"""Of reweighting: 3, 5 and 8 rounds give starts 0.70, 0.69 and 0.69 degrees off."""
_CUT = 1.5
"""Residuals of this multiple of their median have half of their weight."""


@dataclass(frozen=True, slots=True)
class Correspondences:
    """R lists of points known in two frames, padded with weight 0."""

    source: Tensor  # (R, S, 3)
    target: Tensor  # (R, S, 3)
    weight: Tensor  # (R, S), 0 = absent; such points are never read


@dataclass(frozen=True, slots=True)
class Similarities:
    """target = scale R (source - source_mean) + target_mean, for each of R lists."""

    scale: Tensor  # (R,)
    R: Tensor  # (R, 3, 3)
    source_mean: Tensor  # (R, 3)
    target_mean: Tensor  # (R, 3)


def register_similarities(points: Correspondences) -> tuple[Similarities, Tensor]:
    """Return robust weighted similarities, and how well (R,) one rigid body explains both maps: the median
    residual over the target points' standard deviation, 0 at best.

    Umeyama's rotation and Horn's scale, which is symmetric in both sides. A list without three weighted
    points gives the identity with an infinite residual.
    """
    present = points.weight > 0
    # Selected, not multiplied: absent points may hold NaN.
    source = torch.where(present[..., None], points.source, 0)
    target = torch.where(present[..., None], points.target, 0)
    fitted, deviation = fit_similarities(source, target, points.weight)
    relative_residual = torch.zeros_like(deviation)
    for _ in range(_ROUNDS):
        residual = distances(fitted, source, target)
        median = weighted_median(residual, points.weight)
        relative_residual = median / deviation
        weight = points.weight / (1 + (residual / (_CUT * median[:, None]).clamp(min=1e-12)).square())
        fitted, deviation = fit_similarities(source, target, weight)
    # Two points leave the turn about their line open.
    enough = present.sum(1) >= 3
    eye = torch.eye(3).to(source).expand_as(fitted.R)
    similarities = Similarities(
        scale=torch.where(enough, fitted.scale, 1),
        R=torch.where(enough[:, None, None], fitted.R, eye),
        source_mean=fitted.source_mean,
        target_mean=fitted.target_mean,
    )
    return similarities, torch.where(enough, relative_residual, torch.inf)


def fit_similarities(source: Tensor, target: Tensor, weight: Tensor) -> tuple[Similarities, Tensor]:
    """Return the weighted fits to lists of points (R, S, 3) with weights (R, S), and the standard deviations
    (R,) of the target points.

    Points without weight are multiplied by 0: they must be finite.
    """
    w = weight / weight.sum(1, keepdim=True).clamp(min=1e-30)
    source_mean, target_mean = ((w[:, None] @ p)[:, 0] for p in (source, target))
    a, b = source - source_mean[:, None], target - target_mean[:, None]
    R = roma.special_procrustes((w[..., None] * b).mT @ a)
    var_a, var_b = ((w[:, None] @ p.square()).sum((1, 2)).clamp(min=1e-30) for p in (a, b))
    # Both variances, not the covariance: noise in the source would shrink the scale.
    return Similarities((var_b / var_a).sqrt(), R, source_mean, target_mean), var_b.sqrt()


def distances(fitted: Similarities, source: Tensor, target: Tensor) -> Tensor:
    """Return how far (R, S) the moved source points (R, S, 3) lie from the target."""
    moved = (source - fitted.source_mean[:, None]) @ (
        fitted.scale[:, None, None] * fitted.R
    ).mT + fitted.target_mean[:, None]
    return (moved - target).norm(dim=-1)


def weighted_median(values: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted median of each row (R,) of values (R, S); 0 where a row has no weight."""
    ordered, order = values.sort(dim=1)
    share = weight.gather(1, order).cumsum(1)
    index = (share >= share[:, -1:] / 2).int().argmax(1, keepdim=True)
    return torch.where(share[:, -1] > 0, ordered.gather(1, index)[:, 0], 0)
