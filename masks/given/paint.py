"""A plain colour that somebody painted over a background, and what it leaves of a picture.

A painted colour is exact but for the compression, a photographed one is not: that tells both apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_STRIP = 0.01
"""Of the long side: how far the border reaches inwards."""
_BIN = 16
_NEAR = 25
"""Grey values within which the border's colour is sought; what lies farther off belongs to the object."""
_LEAST_SHARE = 0.35
"""Of the border. The frame may cut the object on two sides."""
_SECOND_SHARE, _SECOND_EXACT = 0.15, 0.9
"""Of each side, and of what is not paint there: a chequered one has half, and all of it."""
_EXACT_SHARE = 0.97
"""Of what is near the colour: painted ones 0.99 to 1.00, the black rooms of dinoSparseRing 0.93 and of
templeSparseRing 0.6."""
_RINGS_PX = 8
"""A JPEG block: so far from an edge its ringing reaches, whatever the size of the picture."""
_FAINT = 10.0
"""Grey values from the paint within which a pixel may be paint that was compressed."""
_BLEED = 3
_HOLE_SHARE = 5e-3
"""Of the object: a hole in it that the paint's exact colour alone tells. Highlights are smaller."""
_TOLD = 0.05
_SHARP_PX, _SOFTEST_PX = 2, 12
"""How far from its rim an object has half of its difference from the paint: sharp ones at once, compressed or
resampled within two pixels; a rim of a Gaussian of 3 pixels at five."""
_SPECK = 1e-3
"""Of the largest piece: smaller ones are ringing."""


@dataclass(frozen=True, slots=True)
class Paint:
    """A plain colour on the border of a picture."""

    colour: np.ndarray  # (3,) float32
    spread: float
    """Robust deviation from it in grey values, at least 0.5."""
    share: float
    """Of the border, 0 to 1."""

    @property
    def exact(self) -> float:
        """Grey values up to which a pixel has this very colour."""
        return 1.5 + 3 * self.spread

    @property
    def near(self) -> float:
        """Grey values up to which it may have it, near an edge."""
        return max(_FAINT, 6 * self.spread)


def paint_of(colours: np.ndarray) -> Paint | None:
    """Return the plain colour on the border of a picture (H, W, 3) uint8; none where it has none, or one that
    was photographed.
    """
    sides = _sides(colours)
    border = np.concatenate(sides)
    bins = border // _BIN @ np.array([1, 64, 4096])
    values, counts = np.unique(bins, return_counts=True)
    colour = np.median(border[bins == values[counts.argmax()]], axis=0)
    distance = np.abs(border - colour).max(-1)
    near = distance[distance <= _NEAR]
    spread = max(0.5, 1.4826 * float(np.median(near)))
    paint = Paint(colour.astype(np.float32), spread, len(near) / len(border))
    exact = float((near <= paint.exact).mean())
    if spread > 3.5 or paint.share < _LEAST_SHARE or exact < _EXACT_SHARE:
        return None
    return None if all(_is_chequered(side, paint) for side in sides) else paint


def _sides(colours: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the pixels (n, 3) int32 along each side of a picture (H, W, 3)."""
    h, w = colours.shape[:2]
    strip = max(2, round(_STRIP * max(h, w)))
    inner = colours[strip : h - strip]
    sides = (colours[:strip], colours[h - strip :], inner[:, :strip], inner[:, w - strip :])
    return tuple(side.reshape(-1, 3).astype(np.int32) for side in sides)


def _is_chequered(side: np.ndarray, paint: Paint) -> bool:
    """Tell whether what else lies on one side (n, 3) of the border has one colour, too: programs draw squares
    of two where nothing is.
    """
    rest = side[np.abs(side - paint.colour).max(-1) > _NEAR]
    if len(rest) < _SECOND_SHARE * len(side):
        return False
    apart = np.abs(rest - np.median(rest, axis=0)).max(-1)
    return float((apart <= _FAINT).mean()) >= _SECOND_EXACT


def unpainted(colours: np.ndarray, paint: Paint, photo: np.ndarray | None = None) -> np.ndarray:
    """Return what a paint leaves (H, W) bool of a picture (H, W, 3) uint8.

    Where the photo (H, W, 3) uint8 that was painted over is known, paint is where it differs from the photo;
    else what has the paint's very colour, and hangs together with the border or is a hole too large for a
    highlight. Parts of the object that are nearly as dark, or as bright, as the paint stay.
    """
    distance = _apart(colours, paint.colour)
    candidate = _bleeds(colours, paint) | (distance <= paint.near)
    if photo is None:
        object_ = ~_by_exactness(distance, candidate, paint)
    else:
        sure = _overpainted(colours, photo, distance)
        # Of a photo before the same plain colour little was painted over, and it tells nothing.
        told = int(sure.sum()) > _TOLD * int(candidate.sum())
        object_ = ~(_by_photo(candidate, sure) if told else _by_exactness(distance, candidate, paint))
    return _without_soft_rim(_without_specks(object_), distance)


def _apart(colours: np.ndarray, colour: np.ndarray) -> np.ndarray:
    apart = np.zeros(colours.shape[:2], np.uint8)
    # By channels: differences of three at once would take six bytes a pixel.
    for k in range(3):
        np.maximum(apart, cv2.absdiff(colours[..., k], float(np.rint(colour[k]))), out=apart)
    return apart


def _bleeds(colours: np.ndarray, paint: Paint) -> np.ndarray:
    """Return where (H, W) the brightness is the paint's and the colour nearly: JPEG keeps colours at half the
    resolution, so that those of an object bleed over its rim.
    """
    ycc = cv2.cvtColor(colours, cv2.COLOR_RGB2YCrCb)
    y, cr, cb = cv2.cvtColor(np.rint(paint.colour).astype(np.uint8)[None, None], cv2.COLOR_RGB2YCrCb)[0, 0]
    same = cv2.absdiff(ycc[..., 0], float(y)) <= paint.near
    for k, value in ((1, cr), (2, cb)):
        same &= cv2.absdiff(ycc[..., k], float(value)) <= _BLEED * paint.near
    return same


def _by_exactness(distance: np.ndarray, candidate: np.ndarray, paint: Paint) -> np.ndarray:
    flat = _opened(distance <= paint.exact)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(flat.view(np.uint8), connectivity=4)
    outer = np.zeros(count, bool)
    for rim in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        outer[rim] = True
    area = stats[:, cv2.CC_STAT_AREA]
    painted = outer | (area > _HOLE_SHARE * max(1, int((~candidate).sum())))
    painted[0] = False
    # Between the flat part and the object lies what compression blurred.
    reach = cv2.dilate(painted[labels].view(np.uint8), np.ones((2 * _RINGS_PX + 1,) * 2, np.uint8)) > 0
    return candidate & reach


def _overpainted(colours: np.ndarray, photo: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Return which pixels (H, W) are rather the paint than what the photo shows there."""
    changed = cv2.absdiff(colours, photo).max(-1)
    kept = changed[distance > 2 * _NEAR]
    # What two compressions change on the object: beyond it a pixel was painted.
    noise = float(np.percentile(kept[:: max(1, kept.size // 100_000)], 50)) if kept.size else 0.0
    return _opened((changed > max(6.0, 3 * noise)) & (changed > distance))


def _by_photo(candidate: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Add to what is surely paint the candidates that lie rather between paint than on the object: the photo
    has the paint's colour there, too.
    """
    count, labels = cv2.connectedComponents((candidate & ~sure).view(np.uint8), connectivity=4)
    around, of_paint = np.zeros(count, int), np.zeros(count, int)
    for at, beside in ((np.s_[:-1], np.s_[1:]), (np.s_[1:], np.s_[:-1])):
        for own, other in (((at,), (beside,)), ((slice(None), at), (slice(None), beside))):
            edge = (labels[own] > 0) & (sure[other] | ~candidate[other])
            around += np.bincount(labels[own][edge], minlength=count)
            of_paint += np.bincount(labels[own][edge & sure[other]], minlength=count)
    painted = 2 * of_paint >= around
    painted[0] = False
    return sure | painted[labels]


def _without_specks(object_: np.ndarray) -> np.ndarray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(object_.view(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA].astype(float)
    area[0] = 0
    return (area >= _SPECK * area.max())[labels] & object_ if count > 1 else object_


def _without_soft_rim(object_: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Return an object (H, W) bool up to where half of it was painted over, if its rim fades into the paint:
    a brush or a matte was soft.
    """
    depth = cv2.distanceTransform(object_.view(np.uint8), cv2.DIST_L2, 3)
    rings = [distance[(depth > d) & (depth <= d + 1)] for d in range(_SOFTEST_PX)]
    inner = distance[(depth > _SOFTEST_PX) & (depth <= 2 * _SOFTEST_PX)]
    if not inner.size or not all(ring.size for ring in rings):
        return object_
    whole = float(np.median(inner))
    fades = next((d for d, ring in enumerate(rings) if np.median(ring) >= whole / 2), 0)
    return depth > fades if fades > _SHARP_PX else object_


def _opened(pixels: np.ndarray) -> np.ndarray:
    return cv2.morphologyEx(pixels.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).view(bool)
