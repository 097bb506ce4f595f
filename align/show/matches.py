"""A picture of two photos side by side with their matches."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from align.show.image_file import write_image
from align.show.sheets import masked_photo
from masks.errors import OutputError
from masks.pixelmap import fit_longest, image_to_target, to_source, to_target
from pairs.prediction.predictions import Matches
from pairs.views.view import View

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_LONGEST = 960  # of each photo in the picture, pixels
_GAP = 16
_DOT, _END = 2, 4  # radii of a match, and of one whose line is drawn, pixels
_SHIFT = 3  # OpenCV draws at eighths of a pixel


@dataclass(frozen=True, slots=True)
class MatchSide:
    """One of the two photos."""

    view: View
    photo: np.ndarray  # (H, W, 3) uint8, upright, at any resolution that `View.photo_size` names


def match_picture(a: MatchSide, b: MatchSide, matches: Matches, lines: int = 60) -> np.ndarray:
    """Return the picture (H, W, 3) uint8 of matches on the views' grids: a dot for each, and lines for some
    that are spread over the first photo.

    Both dots of a match have one colour, which goes with its place in the first photo. What a mask hides is
    greyed.
    """
    shown_a, shown_b = _shown(a), _shown(b)
    height = max(len(shown_a), len(shown_b))
    canvas = np.hstack(
        [_centred(shown_a, height), np.full((height, _GAP, 3), 255, np.uint8), _centred(shown_b, height)]
    )
    xy_a = _in_image(a, matches.xy_a) + np.array([0, (height - len(shown_a)) // 2])
    xy_b = _in_image(b, matches.xy_b) + np.array([shown_a.shape[1] + _GAP, (height - len(shown_b)) // 2])
    colours = place_colours(xy_a)
    for at_a, at_b, colour in zip(xy_a, xy_b, colours):
        for at in (at_a, at_b):
            _dot(canvas, at, _DOT, colour)
    chosen = spread_matches(matches, lines)
    lined = canvas.copy()
    for k in chosen:
        cv2.line(lined, _fixed(xy_a[k]), _fixed(xy_b[k]), colours[k], 1, cv2.LINE_AA, _SHIFT)
    # Lines are half transparent: the object beneath is what one wants to compare.
    canvas = cv2.addWeighted(lined, 0.6, canvas, 0.4, 0)
    for k in chosen:
        for at in (xy_a[k], xy_b[k]):
            _dot(canvas, at, _END, colours[k])
    return canvas


def spread_matches(matches: Matches, most: int) -> np.ndarray:
    """Return the indices of at most so many matches, spread over the first photo: of every cell of a grid the
    surest one, the first on ties.
    """
    if most < 1:
        return np.zeros(0, int)
    if len(matches.conf) <= most:
        return np.arange(len(matches.conf))
    low, high = matches.xy_a.min(0), matches.xy_a.max(0)
    side = max(1, int(np.sqrt(most)))
    cell = np.minimum(((matches.xy_a - low) / np.maximum(high - low, 1e-9) * side).astype(int), side - 1)
    key = cell[:, 1] * side + cell[:, 0]
    order = np.lexsort((-matches.conf, key))
    return np.sort(order[np.unique(key[order], return_index=True)[1]])


def place_colours(xy: np.ndarray) -> list[tuple[int, int, int]]:
    """Return a colour for each position (M, 2): its hue goes around their middle, and far from it is stronger
    than near.
    """
    if len(xy) == 0:
        return []
    offset = xy - xy.mean(0)
    radius = np.linalg.norm(offset, axis=1)
    strength = 0.55 + 0.45 * radius / max(float(radius.max()), 1e-9)
    hue = np.arctan2(offset[:, 1], offset[:, 0]) / (2 * np.pi) % 1
    return [tuple(int(255 * c) for c in colorsys.hsv_to_rgb(h, s, 1.0)) for h, s in zip(hue, strength)]  # pyright: ignore[reportReturnType]


def write_match_picture(picture: np.ndarray, path: Path) -> None:
    """Write a picture (H, W, 3) uint8 in the format that the file's name asks for. Raises `OutputError` when
    it cannot be written.
    """
    require_image_name(path)
    write_image(path, picture)


def require_image_name(path: Path) -> None:
    """Raise `OutputError` unless the file's name ends as a picture's does."""
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise OutputError(
            f"{path}: its ending names no picture format. Use one of {', '.join(PICTURE_SUFFIXES)}."
        )


def _shown(side: MatchSide) -> np.ndarray:
    photo = side.photo if side.view.mask is None else masked_photo(side.photo, side.view.mask.pixels)
    return image_to_target(fit_longest(side.view.photo_size, _LONGEST), photo)


def _in_image(side: MatchSide, xy: np.ndarray) -> np.ndarray:
    return to_target(fit_longest(side.view.photo_size, _LONGEST), to_source(side.view.grid_from_photo, xy))


def _centred(picture: np.ndarray, height: int) -> np.ndarray:
    above = (height - len(picture)) // 2
    return np.pad(picture, ((above, height - len(picture) - above), (0, 0), (0, 0)), constant_values=255)


def _dot(canvas: np.ndarray, at: np.ndarray, radius: int, colour: tuple[int, int, int]) -> None:
    cv2.circle(canvas, _fixed(at), radius << _SHIFT, colour, -1, cv2.LINE_AA, _SHIFT)


def _fixed(at: np.ndarray) -> tuple[int, int]:
    x, y = np.rint(at * (1 << _SHIFT)).astype(int)
    return int(x), int(y)
