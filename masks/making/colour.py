"""Colours of object and backdrop, pooled over all views: a view's own colours take the cloth's shadow for
object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from masks.making.evidence import STRONGEST, Evidence
from masks.mask import shrunk

SEED = 1.2
"""Evidence from which on a pixel teaches the colours of its side."""

_BINS = 24  # a channel
_BOX_MARGIN = 24  # working pixels around the object
_RARE = 2e-5
_STRONGEST_RATIO = 2.5

Box = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class ColourModel:
    """How far a colour tells object from backdrop, over all views together."""

    log_ratio: np.ndarray  # (24, 24, 24) float32, RGB bins; positive = object
    overlap: float
    """Share of colours that both have, 0 (told apart) to 1 (the same)."""

    @property
    def weight(self) -> float:
        """What the colours are worth: where both share them, their full weight does harm."""
        return float(np.clip(1 - 7 * (self.overlap - 0.03), 0.3, 1.0))


def box_of(logits: np.ndarray) -> Box | None:
    """Return rows and columns around the largest piece of evidence (H, W) for the object, with a margin; none
    where nothing speaks for it.
    """
    positive = cv2.morphologyEx((logits > 0).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(positive)
    if count < 2:
        return None
    x, y, w, h, _ = stats[1 + stats[1:, cv2.CC_STAT_AREA].argmax()]
    rows = slice(max(0, y - _BOX_MARGIN), min(logits.shape[0], y + h + _BOX_MARGIN))
    return rows, slice(max(0, x - _BOX_MARGIN), min(logits.shape[1], x + w + _BOX_MARGIN))


def colour_model(
    pictures: Sequence[np.ndarray], evidence: Evidence, seeds: Sequence[np.ndarray] | None = None
) -> ColourModel:
    """Return the colours of sure pixels of photos (H, W, 3) uint8; `seeds` are masks (H, W) bool of an
    earlier pass, believed where the evidence does not contradict them.
    """
    counts = np.zeros((2, _BINS**3))
    for k, (picture, logits) in enumerate(zip(pictures, evidence.logits)):
        box = box_of(logits)
        if box is None:
            continue
        sides = _sure(logits, None if seeds is None else seeds[k])
        bins = bins_of(picture[box])
        for side, sure in enumerate(sides):
            counts[side] += np.bincount(bins[sure[box]], minlength=_BINS**3)
    if not counts.sum(axis=1).all():
        return ColourModel(np.zeros((_BINS,) * 3, np.float32), overlap=1.0)
    backdrop, thing = (gaussian_filter(c.reshape((_BINS,) * 3) / c.sum(), 1.0) for c in counts)
    ratio = np.log((thing + _RARE) / (backdrop + _RARE))
    return ColourModel(
        np.clip(ratio, -_STRONGEST_RATIO, _STRONGEST_RATIO).astype(np.float32),
        float(np.minimum(thing, backdrop).sum()),
    )


def _sure(logits: np.ndarray, seed: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return which pixels (H, W) are surely backdrop, and which object."""
    thing, backdrop = logits >= SEED, logits <= -SEED
    if seed is not None:
        thing, backdrop = seed & ~backdrop, ~seed & ~thing
    return shrunk(backdrop, 1), shrunk(thing, 2)


def with_colour(evidence: Evidence, pictures: Sequence[np.ndarray], model: ColourModel) -> Evidence:
    """Return the evidence with what the colours of photos (H, W, 3) uint8 say, most where it was unsure."""
    ratios = model.weight * model.log_ratio.ravel()
    logits = []
    for picture, own in zip(pictures, evidence.logits):
        said = ratios[bins_of(picture)] * np.clip(1.5 - np.abs(own) / 3, 0.3, 1.5)
        logits.append(np.clip(own + said, -STRONGEST, STRONGEST).astype(np.float32))
    return Evidence(tuple(logits), evidence.road)


def bins_of(picture: np.ndarray) -> np.ndarray:
    """Return the flat index (H, W) of each pixel's bin."""
    r, g, b = np.moveaxis(picture.astype(np.int32) * _BINS // 256, -1, 0)
    return (r * _BINS + g) * _BINS + b
