"""One view's dense points, depth and confidence."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class DenseView:
    """One view's pixels in the world; NaN outside the object."""

    points: Tensor  # (H, W, 3), world
    depth: Tensor  # (H, W), camera z in the world's unit
    conf: Tensor  # (H, W)
    """Mean canonical confidence, or what cleaning left of it."""
