"""Losses of how maps change from pixel to pixel: differences of neighbours, and surface normals
(docs/training.md, "Losses of VGGT").

Maps are (N, H, W, C); both terms look at every pixel, every second, every fourth, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_LEAST_NORMALS = 10
_LEAST_NORM = 1e-8


MOST = 100.0
"""No distance, and no loss of a pixel, counts for more."""
_LEAST_KEPT = 1000
_MOST_RANKED = 100_000_000
_RANKED = 1_000_000


@dataclass(frozen=True, slots=True)
class DifferenceTerm:
    """Differences of neighbouring errors: a constant error costs nothing, an edge in the wrong place does."""

    scales: int = 4
    weighted: bool = False
    """Whether a sure pixel costs more and is rewarded for being sure, also where nothing is valid."""

    def evaluate(self, predicted: Tensor, true: Tensor, valid: Tensor, conf: Tensor) -> Tensor:
        """Return the mean over the scales, ()."""
        parts = _scales(self.scales, predicted, true, valid, conf)
        return torch.stack(
            [difference_loss(*maps[:3], maps[3] if self.weighted else None) for maps in parts]
        ).mean()


@dataclass(frozen=True, slots=True)
class NormalTerm:
    """Angles between surface normals of pointmaps."""

    scales: int = 3
    weighted: bool = False
    """Whether a sure pixel costs more and is rewarded for being sure."""

    def evaluate(self, predicted: Tensor, true: Tensor, valid: Tensor, conf: Tensor) -> Tensor:
        """Return the mean over the scales, ()."""
        parts = _scales(self.scales, predicted, true, valid, conf)
        return torch.stack(
            [normal_loss(*maps[:3], maps[3] if self.weighted else None) for maps in parts]
        ).mean()


def difference_loss(predicted: Tensor, true: Tensor, valid: Tensor, conf: Tensor | None = None) -> Tensor:
    """Return the summed differences of neighbouring errors over the number of valid numbers, (); 0 without
    valid pixels.
    """
    count = valid.sum() * predicted.shape[-1]
    if count == 0:
        return 0 * predicted.sum()
    error = torch.where(valid[..., None], predicted - true, 0)
    total = predicted.new_zeros(())
    for axis in (1, 2):
        n = error.shape[axis] - 1
        both = valid.narrow(axis, 1, n) & valid.narrow(axis, 0, n)
        steps = torch.where(
            both[..., None], (error.narrow(axis, 1, n) - error.narrow(axis, 0, n)).abs(), 0
        ).clamp(max=MOST)
        total = total + weighted(steps, None if conf is None else conf.narrow(axis, 1, n)[..., None]).sum()
    return total / count


def normal_loss(predicted: Tensor, true: Tensor, valid: Tensor, conf: Tensor | None = None) -> Tensor:
    """Return the mean of one minus the cosine between normals, (); 0 when fewer than ten are valid."""
    # What is not valid may be infinite or no number at all, and would spread through products with zero
    # gradients.
    (ours, good), (theirs, _) = (
        normals(torch.where(valid[..., None], points, 0), valid) for points in (predicted, true)
    )
    if good.sum() < _LEAST_NORMALS:
        return 0 * predicted.sum()
    cosine = (ours[good] * theirs[good]).sum(-1).clamp(-1 + _LEAST_NORM, 1 - _LEAST_NORM)
    return weighted(1 - cosine, None if conf is None else conf.expand(4, *conf.shape)[good]).mean()


def weighted(loss: Tensor, conf: Tensor | None, gamma: float = 1.0, alpha: float = 0.2) -> Tensor:
    """Return gamma times loss times confidence less the reward alpha times its logarithm; the loss itself
    without confidence.
    """
    return loss if conf is None else gamma * loss * conf - alpha * conf.log()


def normals(points: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return four unit normals a pixel (4, N, H, W, 3), one from each pair of adjacent neighbours, and which
    are valid (4, N, H, W).

    A normal is valid where its pixel and both neighbours are; outside the map nothing is.
    """
    padded = functional.pad(points, (0, 0, 1, 1, 1, 1))
    inside = functional.pad(valid, (1, 1, 1, 1))
    h, w = valid.shape[-2:]
    # Up, left, down, right: each cross product is of one of them and the next.
    corners = ((0, 1), (1, 0), (2, 1), (1, 2))
    sides = [padded[:, y : y + h, x : x + w] - points for y, x in corners]
    there = [inside[:, y : y + h, x : x + w] & valid for y, x in corners]
    crosses = torch.stack([torch.linalg.cross(sides[k], sides[(k + 1) % 4]) for k in range(4)])
    return functional.normalize(crosses, dim=-1, eps=_LEAST_NORM), torch.stack(
        [there[k] & there[(k + 1) % 4] for k in range(4)]
    )


def _scales(
    count: int, predicted: Tensor, true: Tensor, valid: Tensor, conf: Tensor
) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    return [
        (predicted[:, ::s, ::s], true[:, ::s, ::s], valid[:, ::s, ::s], conf[:, ::s, ::s])
        for s in (2**k for k in range(count))
    ]


def bounded(values: Tensor, most: float = MOST) -> Tensor:
    """Return values between -most and most; what is not finite becomes 0, without gradient."""
    return torch.where(values.isfinite(), values, 0).clamp(-most, most)


def nearest_rank(values: Tensor, share: float) -> Tensor:
    """Return the value () below which a share of all values (N,) lies: one of them, the rank rounded half to
    even.
    """
    if len(values) > _MOST_RANKED:
        # Every so manieth stands for a draw at random: the same input then gives the same loss.
        values = values[:: len(values) // _RANKED]
    return values.kthvalue(round(share * (len(values) - 1)) + 1).values


def without_outliers(values: Tensor, share: float) -> Tensor:
    """Return the values (N,) strictly below the one that a share of them lies below.

    Up to 1000 values come back as they are. Of more, none counts for more than 100; when dropping would leave
    1000 or fewer, all stay.
    """
    if len(values) <= _LEAST_KEPT:
        return values
    values = values.clamp(max=MOST)
    kept = values[values < nearest_rank(values.detach(), share)]
    return kept if len(kept) > _LEAST_KEPT else values
