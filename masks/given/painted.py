"""Photos whose background was painted over before: the paint says what a mask would say
(docs/masks.md, "A painted background").
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from masks.given.paint import Paint, paint_of, unpainted
from masks.image_file import ImageFacts, open_image
from masks.mask import Mask
from masks.notice import Notice, warning
from masks.pixelmap import turn_upright

_SAME_COLOUR = 6.0
_FEWEST = 3
"""Photos: what two have in common may be chance."""
_LEAST, _MOST = 0.002, 0.95
"""Share of a photo that the paint leaves: less is no object, and a frame painted around the photo is no
background."""


def paint_of_set(photos: Sequence[np.ndarray]) -> Paint | None:
    """Return the one plain colour on the border of all photos (H, W, 3) uint8, of any sizes, if it
    was painted there; else none.
    """
    paints = [paint_of(photo) for photo in photos]
    found = [paint for paint in paints if paint is not None]
    if len(photos) < _FEWEST or len(found) < len(photos):
        return None
    colours = np.stack([paint.colour for paint in found])
    if np.abs(colours - np.median(colours, axis=0)).max() > _SAME_COLOUR:
        return None
    left = [float(unpainted(photo, paint).mean()) for photo, paint in zip(photos, found)]
    return found[0] if min(left) > _LEAST and max(left) < _MOST else None


def is_painted(photo: Path) -> bool:
    """Tell whether a photo's border has one plain colour that was painted."""
    return paint_of(open_image(photo).pixels) is not None


def painted_mask(fact: ImageFacts) -> Mask:
    """Return what the paint of one photo leaves of it."""
    upright = np.ascontiguousarray(turn_upright(open_image(fact.path, fact.white).pixels, fact.orientation))
    paint = paint_of(upright)
    if paint is None:
        return Mask(np.ones(upright.shape[:2], bool), "painted background")
    return Mask(unpainted(upright, paint), "painted background")


def painted_notice(paint: Paint, used: bool) -> Notice:
    """Return what is said of photos with a painted background."""
    colour = ", ".join(str(round(float(value))) for value in paint.colour)
    text = f"the background of all photos is painted in one colour ({colour})"
    if used:
        return warning(
            "masks",
            f"{text}: what differs from it was taken as their masks. Give masks (`masks=DIR`) where parts of "
            "the object have that colour, or pass `masks=none` to let the background count.",
        )
    return warning(
        "masks",
        f"{text}, where no depth can be measured: what the scene shows there is nothing. Give masks "
        "(`masks=DIR`), or `masks=auto`, which takes what differs from the paint.",
    )
