"""Which frames to begin with: those that look least like the ones before
(docs/vggt.md, "Query frames and points").

For parity with the published choice; no command uses it: they spread query views over the cameras.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pairs.networks.vggt.dino import Dino, normalised

_FAR = 100.0
"""Similarity of a frame to itself is set to minus it, and likenesses are subtracted from it to give
distances."""
_SIDE = 336
"""Images are squeezed to squares of this many pixels before they are compared."""


def frame_features(dino: Dino, images: Tensor) -> Tensor:
    """Return what tells images (S, 3, H, W) in [0, 1] apart: unit vectors (S, C)."""
    squares = functional.interpolate(
        normalised(images), size=(_SIDE, _SIDE), mode="bilinear", align_corners=False
    )
    return functional.normalize(dino(squares).image, dim=-1)


def choose_frames(features: np.ndarray, count: int) -> list[int]:
    """Return `count` frames, or all of them, by features (S, C) of unit length: the one most like all others,
    then always the least like the last.

    Only the last chosen frame is looked at, not all chosen ones, as published. Of equals the first is taken.
    """
    similarity = features @ features.T
    np.fill_diagonal(similarity, -_FAR)
    chosen = [int(similarity.sum(1).argmax())]
    distance = np.maximum(_FAR - similarity, 0)
    while len(chosen) < min(count, len(features)):
        row = distance[chosen[-1]].copy()
        row[chosen] = 0
        chosen.append(int(row.argmax()))
    return chosen


def first_frame_first(chosen: list[int]) -> list[int]:
    """Return the chosen frames behind frame 0, which is always a query frame."""
    return [0, *(frame for frame in chosen if frame != 0)]


def swapped_to_front(frame: int, num_frames: int) -> Tensor:
    """Return the order (S,) of frames in which `frame` and frame 0 have changed places; the order undoes
    itself.
    """
    order = torch.arange(num_frames)
    order[[0, frame]] = order[[frame, 0]]
    return order
