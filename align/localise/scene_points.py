"""Scene points that a map photo is known to see, and those found in a photo that is to be placed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pairs.views.view import View

_HALF = 0.5
"""From pixel centres at integers to a first one at (1/2, 1/2), as the matrices of standard sizes want it."""


@dataclass(frozen=True, slots=True)
class SeenPoints:
    """Scene points and the pixels of one photo that show them."""

    xy: np.ndarray  # (P, 2), photo pixels
    points: np.ndarray  # (P, 3), scene

    def __post_init__(self) -> None:
        if self.xy.shape != (len(self.xy), 2) or self.points.shape != (len(self.xy), 3):
            raise ValueError(
                f"seen points need xy (P, 2) and points (P, 3): got {self.xy.shape} and {self.points.shape}"
            )


@dataclass(frozen=True, slots=True)
class MapPhoto:
    """A photo of the scene whose pixels are partly known in 3D."""

    view: View
    seen: SeenPoints


@dataclass(frozen=True, slots=True)
class Correspondences:
    """Scene points, and where in a photo to be placed they were found."""

    points: np.ndarray  # (M, 3), scene
    xy: np.ndarray  # (M, 2), photo pixels
    conf: np.ndarray  # (M,), > 0


MatchMaps = Callable[[View, Iterable[MapPhoto]], Iterator[Correspondences]]
"""Yields for a photo to be placed and each map photo the scene points that it finds, inside both masks."""


def carried(half_pixel_matrix: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Return positions (N, 2), pixel centres at integers, through a matrix (3, 3) that acts on positions with
    the first centre at (1/2, 1/2).
    """
    moved = (np.asarray(xy, np.float64) + _HALF) @ half_pixel_matrix[:2, :2].T
    return moved + half_pixel_matrix[:2, 2] - _HALF


def marks_on_grid(
    seen: SeenPoints, half_pixel_grid_from_photo: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Return for every pixel of a grid of (height, width) which seen point lies in it: its number from 1 on;
    0: none (H, W) int32.

    Where several lie in one pixel it is the last. Points that are not finite are none.
    """
    height, width = size
    xy = np.rint(carried(half_pixel_grid_from_photo, seen.xy))
    # Compared as real numbers: a NaN or a huge coordinate must not wrap around as an integer.
    inside = np.all((xy >= 0) & (xy < (width, height)), axis=1) & np.isfinite(seen.points).all(1)
    number = np.flatnonzero(inside)
    x, y = xy[number].astype(int).T
    marks = np.zeros((height, width), np.int32)
    marks[y, x] = number + 1
    return marks
