"""From outlines at working size to masks at the size of the photos."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from masks.image_file import ImageFacts
from masks.making.refine import Refined
from masks.mask import Mask


def finished_masks(outlines: Refined, facts: Sequence[ImageFacts]) -> tuple[Mask, ...]:
    """Return the masks of the upright photos at their own size."""
    source = f"made: {outlines.evidence.road}"
    return tuple(Mask(_enlarged(soft, fact.upright_size), source) for soft, fact in zip(outlines.soft, facts))


def _enlarged(soft: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    # Bilinear: what is between two pixels of the outline is its sub-pixel place; cubic would overshoot.
    return cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR) >= 0.5
