"""The sizes that the published networks were trained for, and how a photo is brought to one
(docs/pair_networks.md, "Images and grids").

Matrices named `half_pixel` act on positions whose first pixel centre is at (1/2, 1/2): add a half, apply,
subtract it again. They and both ways of resizing are for parity with published localisation; no command uses
them: views are carried by their `PixelMap`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from masks.errors import UserError

Size = tuple[int, int]
"""Height and width."""

_SHORT_SIDES = {512: (384, 336, 288, 256, 160), 224: (224,)}
# The published comparison runs in float32: proportions that agree to it are not cropped.
_SAME_RATIO = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class Resize:
    """How a photo is cropped about its centre and scaled to a standard size."""

    size: Size
    crop: tuple[int, int, int, int]
    """(x, y, width, height) of what is kept of the photo."""
    half_pixel_target_from_photo: np.ndarray  # (3, 3)
    half_pixel_photo_from_target: np.ndarray  # (3, 3)
    """Both take the crop's margin for exactly half of what is cut off, where the crop itself is whole pixels:
    half a pixel apart for odd margins."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """How a photo is shrunk to a longest side."""

    size: Size
    K: np.ndarray  # (3, 3), pixels of the reduced photo
    target_from_photo: (
        np.ndarray
    )  # (3, 3), a pure scaling of positions with pixel centres at integers, as published
    photo_from_target: np.ndarray  # (3, 3)


def best_resolution(size: Size, longest: int) -> Size:
    """Return the standard (height, width) whose proportions are nearest to a photo's, the longer side along
    the photo's longer side.

    Raises `UserError` for a longest side without standard sizes.
    """
    if longest not in _SHORT_SIDES:
        raise UserError(
            f"{longest} pixels: the published networks have sizes for a longest side of 512 or 224 only. "
            "Choose one of them."
        )
    height, width = size
    landscape = width >= height
    ratios = [longest / short if landscape else short / longest for short in _SHORT_SIDES[longest]]
    short = _SHORT_SIDES[longest][int(np.argmin([abs(width / height - ratio) for ratio in ratios]))]
    return (short, longest) if landscape else (longest, short)


def standard_resize(size: Size, longest: int) -> Resize:
    """Return how a photo of (height, width) is brought to its best standard size; a photo of a standard size
    stays as it is.
    """
    height, width = size
    target = best_resolution(size, longest)
    if max(size) == longest and min(size) in _SHORT_SIDES[longest]:
        return Resize(size, (0, 0, width, height), np.eye(3), np.eye(3))
    crop_w, crop_h = width, height
    ratio = target[1] / target[0]
    if abs(width / height - ratio) >= _SAME_RATIO:
        crop_w, crop_h = (
            (width, int(width / ratio)) if width / height < ratio else (int(height * ratio), height)
        )
    left, top = (width - crop_w) / 2, (height - crop_h) / 2
    forward = np.diag([target[1] / crop_w, target[0] / crop_h, 1.0]) @ _translation(-left, -top)
    back = _translation(left, top) @ np.diag([crop_w / target[1], crop_h / target[0], 1.0])
    return Resize(target, (round(left), round(top), crop_w, crop_h), forward, back)


def reduce_to(size: Size, longest: int | None, K: np.ndarray) -> Reduction:
    """Return how a photo of (height, width) and its intrinsics shrink to a longest side; it is never
    enlarged, and none leaves it as it is.
    """
    height, width = size
    if longest is None or max(size) <= longest:
        return Reduction(size, np.array(K), np.eye(3), np.eye(3))
    shrink = longest / max(size)
    reduced = tuple(longest if side == max(size) else int(side * shrink) for side in size)
    scale = np.diag([reduced[1] / width, reduced[0] / height, 1.0])
    half = _translation(0.5, 0.5)
    scaled = np.linalg.inv(half) @ scale @ half @ np.asarray(K, float)
    return Reduction((reduced[0], reduced[1]), scaled, scale, np.linalg.inv(scale))


def _translation(x: float, y: float) -> np.ndarray:
    matrix = np.eye(3)
    matrix[:2, 2] = x, y
    return matrix
