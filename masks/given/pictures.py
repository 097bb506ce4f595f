"""Pictures in place of masks: cut-outs, which are understood, and what no mask can be made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from masks.given.levels import is_coloured
from masks.given.look import PhotoShape
from masks.given.paint import Paint, paint_of, unpainted
from masks.given.samples import small
from masks.image_file import open_image
from masks.pixelmap import turn_back, turn_upright

_LONGEST = 256
_DETAIL_PX = 2.0
"""Standard deviation of the smoothing whose remainder is the detail that pictures are compared by: light and
shade of any two pictures may agree, details do not."""
# Of details inside the object: cut-outs and their photos 0.97 and more, with other contrast and colours 0.8,
# those of the next photo of a turntable 0.2 and less.
_ALIKE = 0.5
_EQUAL = 8.0
"""Mean difference in grey values of one picture that was compressed twice."""
_CHANGED_SHARE = 0.02
"""Of the picture: a cut-out leaves out more of its photo."""


@dataclass(frozen=True, slots=True)
class CutOut:
    """What a picture in place of a mask is."""

    object: np.ndarray | None  # (H, W) bool as stored; none where it is no cut-out
    turned: int
    """The turn by which it lies on its photo."""
    paint: Paint | None
    fault: str
    """Why no mask can be made of it; empty where it can."""
    alike: float
    """How far its details are those of its photo, -1 to 1; NaN where there is no photo."""


def judged(colours: np.ndarray, turns: Sequence[int], photo: PhotoShape) -> CutOut:
    """Return what a picture (H, W, 3) uint8, as stored, is to its photo; it may lie on it in `turns`."""
    paint = paint_of(colours)
    if photo.path is None:
        if paint is None:
            return CutOut(None, turns[0], None, "is a picture, not a mask", np.nan)
        return CutOut(unpainted(colours, paint), turns[0], paint, "", np.nan)
    upright = turn_upright(open_image(photo.path).pixels, photo.orientation)
    if not is_coloured(colours):
        upright = np.repeat(cv2.cvtColor(np.ascontiguousarray(upright), cv2.COLOR_RGB2GRAY)[..., None], 3, -1)
    there = small(upright, _LONGEST).astype(np.float32)
    best, alike = turns[0], -1.0
    for turn in turns:
        found = _likeness(_fitted(turn_upright(colours, turn), there.shape), there, paint)
        best, alike = (turn, found) if found > alike else (best, alike)
    turned = _fitted(turn_upright(colours, best), there.shape)
    fault = _fault(turned, there, paint, alike, photo.name)
    if fault or paint is None:
        return CutOut(None, best, paint, fault, alike)
    under = np.ascontiguousarray(turn_back(upright, best))
    h, w = colours.shape[:2]
    if under.shape != colours.shape:
        under = cv2.resize(under, (w, h), interpolation=cv2.INTER_AREA)
    return CutOut(unpainted(colours, paint, under), best, paint, "", alike)


def _fault(picture: np.ndarray, photo: np.ndarray, paint: Paint | None, alike: float, name: str) -> str:
    difference = np.abs(picture - photo).max(-1)
    if difference.mean() <= _EQUAL and (difference > 4 * _EQUAL).mean() <= _CHANGED_SHARE:
        return f"is the photo {name} itself, not a mask of it"
    if paint is None:
        kind = "the photo with something drawn over it" if alike > _ALIKE else "a picture"
        return f"is {kind}, not a mask"
    return "" if alike > _ALIKE else f"is no cut-out of {name}, or not before one plain colour"


def _likeness(picture: np.ndarray, photo: np.ndarray, paint: Paint | None) -> float:
    """Return the correlation of the details of two small pictures (h, w, 3), off the paint."""
    if paint is None:
        inside = np.ones(picture.shape[:2], np.uint8)
    else:
        inside = (np.abs(picture - paint.colour).max(-1) > 2 * paint.near).astype(np.uint8)
        inside = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    inner = cv2.erode(inside, np.ones((7, 7), np.uint8)) > 0
    if inner.sum() < 50:
        return -1.0
    a, b = (_detail(each)[inner] for each in (picture, photo))
    length = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / length if length > 0 else 0.0


def _detail(picture: np.ndarray) -> np.ndarray:
    return picture - cv2.GaussianBlur(picture, (0, 0), _DETAIL_PX)


def _fitted(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    size = (shape[1], shape[0])
    return cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA).astype(np.float32)
