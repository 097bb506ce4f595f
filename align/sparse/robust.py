"""Robust functions of a distance, as data (docs/sparse_alignment.md, "Robust functions")."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Gamma:
    """(factor min(d, clip) + offset)^gamma - offset^gamma, with slope `factor` at 0 unless an offset is
    given; gamma 1 is d itself.
    """

    gamma: float
    factor: float = 1.0
    offset: float | None = None
    clip: float = math.inf

    @property
    def is_identity(self) -> bool:
        """True where the reference returns the distance itself, without factor and clip."""
        return self.gamma == 1 and self.offset is None

    @property
    def offset_in_use(self) -> float:
        """The offset in use."""
        return (1 / self.gamma) ** (1 / (self.gamma - 1)) if self.offset is None else self.offset


@dataclass(frozen=True, slots=True)
class SquareRoot:
    """The square root of the distance."""


@dataclass(frozen=True, slots=True)
class Sharpening:
    """The distance itself at the start of a stage, falling towards gamma 0 at its end (the reference's `meta`
    loss).
    """


Robust = Gamma | SquareRoot
Schedule = Robust | Sharpening


def at_progress(robust: Schedule, progress: float) -> Robust:
    """Return the function in use when a share `progress` (0 to below 1) of a stage is done."""
    return Gamma(1 - progress) if isinstance(robust, Sharpening) else robust


def robust_value(robust: Robust, distance: Tensor) -> Tensor:
    """Return the function's value, elementwise."""
    if isinstance(robust, SquareRoot):
        return distance.sqrt()
    if robust.is_identity:
        return distance
    return (
        _power(robust.factor * distance.clamp(max=robust.clip) + robust.offset_in_use, robust.gamma)
        - robust.offset_in_use**robust.gamma
    )


def robust_slope(robust: Robust, distance: Tensor) -> Tensor:
    """Return the derivative by the distance; at the clip itself that of the smaller distances."""
    if isinstance(robust, SquareRoot):
        return 0.5 / distance.sqrt()
    if robust.is_identity:
        return torch.ones_like(distance)
    slope = (
        robust.gamma
        * robust.factor
        * _power(robust.factor * distance.clamp(max=robust.clip) + robust.offset_in_use, robust.gamma - 1)
    )
    return slope if math.isinf(robust.clip) else torch.where(distance <= robust.clip, slope, 0)


def _power(base: Tensor, exponent: float) -> Tensor:
    """Return base ** exponent; the two halves in daily use cost a root instead of a logarithm and an
    exponential.
    """
    if exponent == 0.5:
        return base.sqrt()
    if exponent == 1.5:
        return base * base.sqrt()
    if exponent == -0.5:
        return base.rsqrt()
    return base**exponent
