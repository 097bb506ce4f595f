"""Which levels, or colours, a mask file holds."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from masks.given.look import Kind
from masks.given.samples import border_of, sparse

_NEAR = 0.15
"""Of the range: what lies so near to one of both ends counts as that level. JPEG strays by a tenth."""
_BETWEEN = 0.005
"""Share of the pixels that lie between both levels and in the middle of others that do: of masks 0.000 (soft
rims are thinner), of mattes of hair 0.01 and more, of pictures 0.1 and more."""
_MOST_LABELS = 24
_TINT = 24
"""Grey values by which channels differ in a picture of colours: the fringes of a grey JPEG have fewer."""
_COLOURED = 0.01
_ONE_COLOUR, _COLOUR_RIM = 40, 7


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of a file."""

    kind: Kind
    """`PICTURE` where it may be one: grey levels that are none of a mask's."""
    low: float
    high: float
    compact: bool
    """Whether the bright pixels hang together, which noise does not."""
    between: float = 0.0
    """Area that is neither dark nor bright, of the bright side's."""


def levels_of(levels: np.ndarray) -> Levels:
    """Return which levels (H, W) a file holds."""
    finite = levels[np.isfinite(levels)] if levels.dtype.kind == "f" else levels
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if high <= low:
        return Levels(Kind.FLAT, low, high, True)
    some = np.nan_to_num(sparse(levels).astype(np.float32), nan=low, posinf=high, neginf=low)
    bright = some > (low + high) / 2
    compact = _compact(bright) and _compact(~bright)
    # Compression overshoots: the levels are those of most pixels, not of the outermost. A few bright pixels
    # may fall between those that are looked at.
    dark, light = (
        (float(np.median(some[~bright])), float(np.median(some[bright]))) if bright.any() else (low, high)
    )
    near = _NEAR * (light - dark)
    between = (some > dark + near) & (some < light - near)
    inner = _inner(between)
    if inner.mean() <= _BETWEEN:
        return Levels(Kind.TWO_LEVELS, dark, light, compact)
    found = np.unique(some)
    if len(found) <= _MOST_LABELS and all(_compact(some == value) for value in found):
        return Levels(Kind.LABELS, low, high, compact)
    return Levels(Kind.SOFT, low, high, compact, float(inner.sum() / max(1, bright.sum())))


def is_coloured(colours: np.ndarray) -> bool:
    """Tell whether a picture (H, W, 3) uint8 has colours, and not only shades of grey."""
    some = sparse(colours)
    return float(((some.max(-1) - some.min(-1)) > _TINT).mean()) > _COLOURED


def two_colours(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the darker and the brighter of the two colours (3,) that a picture (H, W, 3) consists of; none
    where it has more.
    """
    some = sparse(colours).astype(np.float32)
    rim = border_of(some)
    first = np.median(rim, axis=0)
    away = np.abs(some - first).max(-1) > _ONE_COLOUR
    if not away.any():
        return None
    second = np.median(some[away], axis=0)
    ends = np.stack([first, second])
    if np.abs(ends[0] - ends[1]).max() <= _ONE_COLOUR:
        return None
    near = np.minimum(*(np.abs(some - end).max(-1) for end in ends))
    # JPEG keeps colours at half the resolution: rims of colours are twice as wide.
    if _inner(near > _ONE_COLOUR / 2, _COLOUR_RIM).mean() > _BETWEEN:
        return None
    dark, bright = sorted(ends, key=lambda c: (float(c @ (0.299, 0.587, 0.114)), tuple(c)))
    return dark, bright


def along(colours: np.ndarray, dark: np.ndarray, bright: np.ndarray) -> np.ndarray:
    """Return levels (H, W) uint8 of a picture (H, W, 3): 0 at one colour, 255 at the other."""
    way = (bright - dark) / float(((bright - dark) ** 2).sum()) * 255
    levels = np.empty(colours.shape[:2], np.uint8)
    # By rows: a picture of floats would take twelve bytes a pixel.
    for k, row in enumerate(colours):
        levels[k] = np.clip((row - dark) @ way, 0, 255)
    return levels


def differs_from_rim(levels: np.ndarray) -> np.ndarray:
    """Return what has another level (H, W) bool than most of the picture's border."""
    rim = border_of(levels)
    values, counts = np.unique(rim, return_counts=True)
    return levels != values[counts.argmax()]


def scale_of(levels: np.ndarray, high: float) -> float:
    """Return what white is in the format of levels whose brightest is `high`."""
    if levels.dtype.kind == "f":
        return 1.0 if high <= 1 else 255.0
    return 255.0 if high <= 255 else 65535.0


def _inner(pixels: np.ndarray, width: int = 3) -> np.ndarray:
    element = np.ones((width, width), np.uint8)
    return cv2.morphologyEx(pixels.astype(np.uint8), cv2.MORPH_OPEN, element).astype(bool)


def _compact(pixels: np.ndarray) -> bool:
    return 2 * int(_inner(pixels).sum()) >= int(pixels.sum())
