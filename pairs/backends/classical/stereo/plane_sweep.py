"""Plane sweep: how well every pixel of a view matches its neighbours at every inverse depth.

See (docs/classical_backend.md, "Plane sweep").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from masks.fill import nearest
from masks.pixelmap import image_to_target
from pairs.backends.classical.stereo.warp import Warp, plane_homography, warp_image_to
from pairs.views.photos import filled_photo
from pairs.views.view import View, grid_mask

# Finer steps gain nothing: 128 planes instead of 64 gave the same 0.106 % in twice the time.
_STEP_PX = 0.75
"""Displacement between two planes in the neighbour that moves most."""


_WINDOW = (7, 7)
"""5x5 windows have fewer gross errors (1.3 against 1.8 %) and a median error a fifth larger."""
_NOISE = 4.0
"""Variance, in squared grey values, that a window of noise has: keeps plain windows from matching by
chance."""


@dataclass(frozen=True, slots=True)
class SweepImage:
    """What the sweep sees of a view: its grid in grey, the background replaced by the nearest foreground, and
    the object.
    """

    grey: np.ndarray  # (H, W) float32, 0..255
    mask: np.ndarray  # (H, W) bool

    def __post_init__(self) -> None:
        if self.grey.shape != self.mask.shape or self.grey.dtype != np.float32 or self.mask.dtype != bool:
            raise ValueError(
                f"a sweep picture needs float32 and bool (H, W), not {self.grey.dtype} {self.grey.shape} "
                f"and {self.mask.shape}"
            )


def halved_image(picture: SweepImage) -> SweepImage:
    """Return the picture at half its size, each pixel the mean of four; an odd last row or column is left
    out.
    """
    h, w = (side // 2 for side in picture.grey.shape)
    grey = cv2.resize(picture.grey[: 2 * h, : 2 * w], (w, h), interpolation=cv2.INTER_AREA)
    share = cv2.resize(
        picture.mask[: 2 * h, : 2 * w].astype(np.float32), (w, h), interpolation=cv2.INTER_AREA
    )
    return SweepImage(grey, share >= 0.5)


@dataclass(frozen=True, slots=True)
class Planes:
    """Inverse depths in equal steps, from far to near."""

    first: float
    step: float
    count: int


def sweep_image(view: View) -> SweepImage:
    """Load a view's photo for the sweep. It is filled before it shrinks, so that no bit of the background
    reaches the grid.
    """
    # Shrunk as float: rounding to whole grey values would add noise of 0.3 grey values.
    grey = cv2.cvtColor(filled_photo(view, nearest).astype(np.float32), cv2.COLOR_RGB2GRAY)
    return SweepImage(image_to_target(view.grid_from_photo, grey), grid_mask(view))


def choose_planes(
    inverse_range: tuple[float, float],
    centre: tuple[float, float],
    moves: Sequence[Warp],
    limits: tuple[int, int],
) -> Planes:
    """Return planes three quarters of a pixel apart at `centre` (x, y) in the neighbour where it moves most,
    within `limits` of their number.
    """
    far, near = inverse_range
    x_centre, y_centre = np.array(centre, np.float64)[:, None]
    longest = 0.0
    for move in moves:
        x, y, _ = warp_image_to(move, x_centre, y_centre, np.array([far, near]))
        longest = max(longest, float(np.hypot(x[1] - x[0], y[1] - y[0])))
    count = int(np.clip(np.ceil(longest / _STEP_PX) + 1, *limits))
    return Planes(far, (near - far) / (count - 1), count)


def cost_volume(
    picture: SweepImage, neighbours: Sequence[SweepImage], moves: Sequence[Warp], planes: Planes
) -> np.ndarray:
    """Return costs (h, P, w) float32 in [0, 1] of every pixel of `picture` at every plane, against 1 to 4
    neighbours.

    `moves` lead from the picture's pixels to those of the neighbours. Memory is 4 P h w bytes: 50 MB for 64
    planes at 512 x 384.
    """
    reference = patch_statistics(picture.grey)
    h, w = picture.grey.shape
    # Rows first, then planes: all planes of one row are one run of memory, which is what aggregation reads at
    # a time.
    volume = np.empty((h, planes.count, w), np.float32)
    # As bytes, outside is 1: what a warp finds beyond the picture is set to 1 as well, so both cases are one
    # test.
    outsides = [(~n.mask).view(np.uint8) for n in neighbours]
    for p in range(planes.count):
        costs = (
            _plane_cost(reference, n.grey, outside, plane_homography(move, planes.first + p * planes.step))
            for n, outside, move in zip(neighbours, outsides, moves)
        )
        volume[:, p] = mean_of_best_half(costs)
    return volume


def _plane_cost(
    reference: PatchStatistics, grey: np.ndarray, outside: np.ndarray, neighbour_from_image: np.ndarray
) -> np.ndarray:
    size = reference.grey.shape[::-1]
    sampled = cv2.warpPerspective(
        grey,
        neighbour_from_image,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        # What is outside costs 1 anyway; a black frame would only spoil windows that reach a little beyond.
        borderMode=cv2.BORDER_REPLICATE,
    )
    left = cv2.warpPerspective(
        outside, neighbour_from_image, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderValue=1
    )
    return matching_cost(reference, sampled, left)


@dataclass(frozen=True, slots=True)
class PatchStatistics:
    """A picture with what correlation needs to know of its windows."""

    grey: np.ndarray  # (h, w) float32, 0..255
    mean: np.ndarray  # (h, w) float32
    scale: np.ndarray  # (h, w) float32, 1 / sqrt(variance + noise)


def patch_statistics(grey: np.ndarray) -> PatchStatistics:
    """Measure the windows of a picture (h, w) float32."""
    mean = cv2.boxFilter(grey, -1, _WINDOW)
    # Squares reach 65025, so the difference is rounded by about 0.01: nothing beside the noise, but it may be
    # negative, hence the maximum.
    variance = cv2.boxFilter(grey * grey, -1, _WINDOW) - mean * mean
    return PatchStatistics(grey, mean, 1 / np.sqrt(np.maximum(variance, 0) + _NOISE))


def matching_cost(reference: PatchStatistics, sampled: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return the cost (h, w) float32 in [0, 1] of a neighbour's picture sampled onto the reference.

    It is 1 wherever `outside` is not 0, that is where the point falls outside the neighbour's mask or
    picture: this carves the silhouette.
    """
    mean = cv2.boxFilter(sampled, -1, _WINDOW)
    variance = cv2.boxFilter(cv2.multiply(sampled, sampled), -1, _WINDOW)
    covariance = cv2.boxFilter(cv2.multiply(sampled, reference.grey), -1, _WINDOW)
    covariance -= mean * reference.mean
    mean *= mean
    variance -= mean
    np.maximum(variance, 0, out=variance)
    variance += _NOISE
    np.sqrt(variance, out=variance)
    covariance *= reference.scale
    covariance /= variance
    cost = np.subtract(1, covariance, out=covariance)
    np.clip(cost, 0, 1, out=cost)
    cost[outside != 0] = 1
    return cost


def mean_of_best_half(costs: Iterable[np.ndarray]) -> np.ndarray:
    """Return the mean of the smaller half of 1 to 4 costs (h, w), per pixel: what is hidden in one neighbour
    shows in another.
    """
    # The two smallest are kept as costs come in: no stack of volumes is needed.
    best = second = None
    count = 0
    for cost in costs:
        count += 1
        if best is None:
            best = cost
        elif second is None:
            best, second = np.minimum(best, cost), np.maximum(best, cost)
        else:
            np.minimum(second, np.maximum(best, cost), out=second)
            np.minimum(best, cost, out=best)
    if best is None:
        raise ValueError("no neighbour to compare with")
    if second is None or count <= 2:
        return best
    best += second
    best *= 0.5
    return best
