"""A plain backdrop: what a photo's border shows is the backdrop, and the object is what differs from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from masks.making.colour import SEED
from masks.making.evidence import Evidence
from masks.making.plate import differs_from_shadow

PLAIN = "a plain backdrop"

_STRIP = 0.03  # of the long side
_ROUNDS = 6
_LEAST_DEVIATION = 1.5
_LEAST_DIFFERENCE = 12.0  # grey values
_MOST_REACH = 60.0  # the temple's dim surroundings ask for 53
_DARK = 40.0
_INLIERS, _DEVIATION = 0.75, 6.0
_SHADOW_NOISE = 3.0
_ONLY_LIGHT = 0.5
_MOST_SHADOW = 0.5  # of what differs


@dataclass(frozen=True, slots=True)
class Border:
    """What the border of one photo says of its backdrop: a colour that changes smoothly across the photo."""

    coefficients: np.ndarray  # (6, 3): of 1, x, y, x², xy, y² with x and y in -1..1
    low: np.ndarray  # (3,) the darkest that the strip shows
    high: np.ndarray  # (3,) the brightest
    deviation: float
    """Robust standard deviation of the strip from it, grey values."""
    inliers: float
    """Share of the strip within three deviations."""
    reach: float
    """95 % of the strip lie nearer, grey values."""

    @property
    def is_plain(self) -> bool:
        """Whether it has one smooth colour."""
        # The inliers alone say nothing: a robust fit to clutter calls everything an inlier.
        return self.inliers >= _INLIERS and self.deviation < _DEVIATION


def border_of(picture: np.ndarray) -> Border:
    """Return what the border of a photo (H, W, 3) uint8 says."""
    h, w = picture.shape[:2]
    strip = _strip(h, w)
    colours = picture[strip].astype(np.float64)
    basis = _basis(h, w)[strip]
    kept = np.ones(len(colours), bool)
    for _ in range(_ROUNDS):
        coefficients = np.linalg.lstsq(basis[kept], colours[kept], rcond=None)[0]
        rest = np.linalg.norm(colours - basis @ coefficients, axis=1)
        deviation = max(1.4826 * float(np.median(rest)), _LEAST_DEVIATION)
        kept = rest <= 3 * deviation
    return Border(
        coefficients,
        colours.min(axis=0),
        colours.max(axis=0),
        deviation,
        float(kept.mean()),
        float(np.quantile(rest, 0.95)),
    )


def plain_evidence(pictures: Sequence[np.ndarray], borders: Sequence[Border] | None = None) -> Evidence:
    """Return how far each photo (H, W, 3) uint8 differs from the colour of its border."""
    borders = borders or [border_of(picture) for picture in pictures]
    logits, shadows = zip(*(_difference(p, border) for p, border in zip(pictures, borders)))
    # What is a darker backdrop, without any texture, is a shadow; unless most of the object is: a grey thing
    # before a grey wall looks the same.
    dark = sum(int(shadow.sum()) for shadow in shadows)
    if dark < _MOST_SHADOW * sum(int((own > 0).sum()) for own in logits):
        logits = [np.where(shadow, np.minimum(own, -SEED), own) for own, shadow in zip(logits, shadows)]
        shadows = ()
    return Evidence(tuple(logits), PLAIN, shadows)


def unlike_its_border(picture: np.ndarray) -> np.ndarray:
    """Return which pixels (H, W) bool of a photo (H, W, 3) uint8 differ from the colour of its border, be it
    in light alone.
    """
    border = border_of(picture)
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.float32)
    return _differs(smooth, _surface(border, *picture.shape[:2]), border) > 0


def plain_backdrop(picture: np.ndarray) -> np.ndarray | None:
    """Return where a photo (H, W, 3) uint8 shows the smooth colour of its border and hangs together with it,
    (H, W) bool; none where its border is not plain.
    """
    # The noise of a dark photo would hide that its border is plain.
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.0)
    border = border_of(smooth)
    if not border.is_plain:
        return None
    same = _differs(smooth.astype(np.float32), _surface(border, *picture.shape[:2]), border) <= 0
    _, labels = cv2.connectedComponents(same.astype(np.uint8), connectivity=4)
    outside = np.unique(labels[_strip(*labels.shape)])
    return np.isin(labels, outside[outside > 0])


def _surface(border: Border, h: int, w: int) -> np.ndarray:
    """Return the backdrop (h, w, 3) float32: beyond the strip it is extrapolated, within the colours that the
    strip shows.
    """
    return np.clip(_basis(h, w) @ border.coefficients, border.low, border.high).astype(np.float32)


def _differs(smooth: np.ndarray, backdrop: np.ndarray, border: Border) -> np.ndarray:
    """Return the evidence (H, W) float32 of a photo against its backdrop, both (H, W, 3)."""
    distance = np.linalg.norm(smooth - backdrop, axis=2)
    # The last where dim things stand in the dark; bounded, as an object that the frame cuts lies there, too.
    least = max(_LEAST_DIFFERENCE, 3 * border.deviation, min(1.5 * border.reach, _MOST_REACH))
    return np.clip(3 * (distance - least) / least, -3, 4).astype(np.float32)


def _difference(picture: np.ndarray, border: Border) -> tuple[np.ndarray, np.ndarray]:
    """Return the evidence (H, W) of one photo, and what of its object looks like a shadow (H, W) bool."""
    h, w = picture.shape[:2]
    backdrop = _surface(border, h, w)
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.float32)
    differs = _differs(smooth, backdrop, border)
    # Before black no shadow is to be seen.
    if np.sqrt(np.mean(backdrop**2)) <= _DARK:
        return differs, np.zeros((h, w), bool)
    noise = max(_SHADOW_NOISE, border.deviation)
    light = np.clip((smooth * backdrop).sum(axis=2) / (backdrop**2).sum(axis=2), 0.3, 1.1)
    toned = np.linalg.norm(smooth - light[..., None] * backdrop, axis=2) < 3 * noise
    return differs, _shadow(differs, differs_from_shadow(smooth, backdrop, noise) < _ONLY_LIGHT, toned)


def _shadow(differs: np.ndarray, lit: np.ndarray, toned: np.ndarray) -> np.ndarray:
    """Return which pixels (H, W) of an object are its shadow: broad parts that differ from the backdrop in
    light alone, `lit` with their neighbours, and touch it; with their edges, `toned` by themselves.
    """
    broad = cv2.morphologyEx(lit.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    broad = cv2.dilate(broad, np.ones((9, 9), np.uint8)) & (toned | (broad > 0))
    _, labels = cv2.connectedComponents(((broad > 0) | (differs < 0)).astype(np.uint8), connectivity=4)
    outside = np.unique(labels[_strip(*labels.shape)])
    return (broad > 0) & (differs > 0) & np.isin(labels, outside[outside > 0])


def _strip(h: int, w: int) -> np.ndarray:
    """Return the pixels (h, w) bool of the border."""
    width = max(1, round(_STRIP * max(h, w)))
    strip = np.ones((h, w), bool)
    strip[width : h - width, width : w - width] = False
    return strip


def _basis(h: int, w: int) -> np.ndarray:
    """Return the six monomials (h, w, 6) float64 at each pixel."""
    y, x = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
