"""Training correspondences of two views with true geometry (docs/training.md, "Matching")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from masks.errors import UserError
from pairs.train.batch import Correspondences


@dataclass(frozen=True, slots=True)
class TrueView:
    """One view with its true points and camera."""

    points: np.ndarray  # (H, W, 3), world
    valid: np.ndarray  # (H, W) bool
    K: np.ndarray  # (3, 3), pixels of this grid
    cam_from_world: np.ndarray  # (4, 4)

    def __post_init__(self) -> None:
        if (
            self.points.shape != (*self.valid.shape, 3)
            or self.K.shape != (3, 3)
            or self.cam_from_world.shape != (4, 4)
        ):
            raise ValueError(
                f"points (H, W, 3), valid (H, W), K (3, 3): got {self.points.shape}, {self.valid.shape}, "
                f"{self.K.shape}"
            )


def sample_correspondences(
    a: TrueView, b: TrueView, seed: int, count: int = 8192, negative_share: float = 0.5
) -> Correspondences:
    """Return `count` pixels of both views as a batch of one: first matches, drawn at random, then pixels that
    match nothing.

    When there are too few matches the rest is negatives, and the other way round. Evaluation samples 1024.
    Raises `UserError` when the images have too few pixels.
    """
    rng = np.random.default_rng(seed)
    pixel_a, pixel_b = mutual_pixels(a, b)
    lone_a, lone_b = (
        np.setdiff1d(np.arange(view.valid.size), pixel) for view, pixel in ((a, pixel_a), (b, pixel_b))
    )
    num_positive = min(len(pixel_a), int(count * (1 - negative_share)))
    num_negative = min(count - num_positive, len(lone_a), len(lone_b))
    num_positive = count - num_negative
    if num_positive > len(pixel_a):
        raise UserError(
            f"the images have {len(pixel_a)} matches and too few other pixels for {count} samples. Use "
            "larger images or fewer samples."
        )
    chosen = rng.choice(len(pixel_a), num_positive, replace=False)
    xy = [
        _xy(
            np.concatenate([pixel[chosen], rng.choice(lone, num_negative, replace=False)]),
            view.valid.shape[1],
        )
        for pixel, lone, view in ((pixel_a, lone_a, a), (pixel_b, lone_b, b))
    ]
    return Correspondences(xy[0], xy[1], torch.arange(count)[None] < num_positive)


def mutual_pixels(a: TrueView, b: TrueView) -> tuple[np.ndarray, np.ndarray]:
    """Return the flat pixels (M,) of a, ascending, and of b whose points are seen at each other's pixel.

    What is hidden in the other view is no match: the way back starts at what hides it, and leads elsewhere.
    """
    b_of_a, a_of_b = seen_at(a, b), seen_at(b, a)
    pixel_a = np.flatnonzero(b_of_a >= 0)
    pixel_b = b_of_a[pixel_a]
    mutual = a_of_b[pixel_b] == pixel_a
    return pixel_a[mutual], pixel_b[mutual]


def seen_at(view: TrueView, other: TrueView) -> np.ndarray:
    """Return for each pixel (H * W,) the flat pixel of the other view nearest to where its point lies, at the
    border when outside.

    -1 for pixels that are not valid, and for points that are not before the other camera. Clipping to the
    border is the reference's, and lets a few border pixels match by chance.
    """
    h, w = other.valid.shape
    found = np.full(view.valid.size, -1)
    rows = np.flatnonzero(view.valid)
    in_other = view.points.reshape(-1, 3)[rows] @ other.cam_from_world[:3, :3].T + other.cam_from_world[:3, 3]
    before = in_other[:, 2] > 0
    projected = in_other[before] @ other.K.T
    # Halves are rounded to even, as in the reference.
    xy = np.rint(projected[:, :2] / projected[:, 2:]).clip(0, [w - 1, h - 1]).astype(np.int64)
    found[rows[before]] = xy[:, 1] * w + xy[:, 0]
    return found


def _xy(pixel: np.ndarray, width: int) -> torch.Tensor:
    """Return flat pixels (N,) as (1, N, 2)."""
    return torch.from_numpy(np.stack([pixel % width, pixel // width], -1))[None]
