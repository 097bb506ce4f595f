"""Coloured points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class PointCloud:
    """Finite points of one frame, with the colour that a photo shows there."""

    points: np.ndarray  # (N, 3), world
    colours: np.ndarray  # (N, 3) uint8, sRGB
    conf: np.ndarray | None = None  # (N,)
    """How sure each point is, on the scale of the predictions; none when nobody said."""

    def __post_init__(self) -> None:
        n = len(self.points)
        if self.points.shape != (n, 3) or self.colours.shape != (n, 3) or self.colours.dtype != np.uint8:
            raise ValueError(
                f"a cloud needs points (N, 3) and uint8 colours (N, 3), not {self.points.shape} and {self.colours.dtype} {self.colours.shape}"
            )
        if self.conf is not None and self.conf.shape != (n,):
            raise ValueError(f"a cloud of {n} points needs a confidence ({n},), not {self.conf.shape}")


def finite_part(cloud: PointCloud) -> PointCloud:
    """Return the cloud without points that are not finite."""
    keep = np.isfinite(cloud.points).all(axis=1)
    return PointCloud(cloud.points[keep], cloud.colours[keep], None if cloud.conf is None else cloud.conf[keep])
