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
from masks.notice import Notice, first_few, warning
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


def partly_painted(names: Sequence[str], photos: Sequence[np.ndarray]) -> tuple[Notice, ...]:
    """Return a warning where half of the photos (H, W, 3) uint8 or more have a painted background, but not
    all the same one, or too few of them: no masks were made of it.
    """
    paints = {}
    for name, photo in zip(names, photos):
        paint = paint_of(photo)
        if paint is not None and _LEAST < float(unpainted(photo, paint).mean()) < _MOST:
            paints[name] = _said(paint)
    if len(paints) < max(2, len(photos) / 2):
        return ()
    bare = [name for name in names if name not in paints]
    colours = list(dict.fromkeys(paints.values()))
    if bare:
        why = f"but not of {first_few(bare)}"
    elif len(colours) > 1:
        why = "not in one colour of all"
    else:
        why = f"and {len(photos)} photos are too few to be sure"
    text = (
        f"the background of {len(paints)} photos looks painted ({first_few(colours, '; ')}), {why}: it was "
        "not taken for their masks. What the scene shows there is nothing: give masks (`masks=DIR`)."
    )
    return (warning("masks", text),)


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
    text = f"the background of all photos is painted in one colour ({_said(paint)})"
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


def _said(paint: Paint) -> str:
    return ", ".join(str(round(float(value))) for value in paint.colour)
