"""A depth for every pixel from scales and blocks' offsets (docs/bundle_alignment.md, "Block depths")."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from align.measurements.canonical import CanonicalView
from masks.fill import extend_nearest

_SMOOTH_BLOCKS = 0.6
"""Standard deviation of the smoothing. More would flatten what the matches tell."""


def block_depth(view: CanonicalView, log_scale: float, log_offset: np.ndarray) -> Tensor:
    """Return the depth (H, W) = canonical depth x exp(log scale + offset); NaN off the object.

    Offsets (h, w) are those of the blocks' middles, bilinear between them and a little smoothed, since a
    network errs smoothly and a block holds few matches. A block without one (NaN) has that of the nearest
    block with one.
    """
    known = np.isfinite(log_offset)
    offset = extend_nearest(log_offset, known) if known.any() else np.zeros(log_offset.shape)
    offset = cv2.GaussianBlur(offset, (0, 0), _SMOOTH_BLOCKS, borderType=cv2.BORDER_REPLICATE)
    smooth = cv2.resize(offset, view.size, interpolation=cv2.INTER_LINEAR)
    return view.depth * torch.from_numpy(np.exp(log_scale + smooth))
