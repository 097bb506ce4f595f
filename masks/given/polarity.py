"""Which side of masks is the object: for the set, and for the files that say otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from masks.errors import MaskError
from masks.mask import Mask, border_share
from masks.notice import Notice, first_few, info, warning

_COVERAGE = 2.0
"""By how many times an object may be smaller or larger in one view than in all others."""
_BORDER = 0.1
_THUMBNAIL = (64, 64)


def choose_polarity(bright: Sequence[Mask]) -> tuple[bool, Notice]:
    """Return whether the object is the dark side, and the notice that says so.

    An object stands in the picture and its background runs around it: the side that fills most of the border
    is the background. The median over all masks decides, so that an object cut by the frame in some views
    does no harm.
    """
    if all(mask.coverage == 1 for mask in bright):
        raise MaskError(
            "every mask is white all over: nothing tells object from background. Check how the masks were "
            "exported."
        )
    # The median: a few objects that fill their photo's border do not turn the set.
    inverted = float(np.median([border_share(mask.pixels) for mask in bright])) > 0.5
    side, other = ("black", "white") if inverted else ("white", "black")
    text = (
        f"the {side} side of the masks is taken as the object: {other} fills most of the border. If that "
        f"is wrong, pass `polarity={other}`."
    )
    return inverted, (warning if inverted else info)("masks", text)


def with_odd_ones_turned(masks: Sequence[Mask], stated: bool) -> tuple[tuple[Mask, ...], tuple[Notice, ...]]:
    """Return the objects of a set, those turned that are surely inverted, and warnings that name the masks
    whose border says the opposite of the others'. Where the user has `stated` the side, none is turned.

    Inverted is a mask whose other side is as large as the others' objects, touches the border as little, and
    lies where they lie.
    """
    rim = np.array([border_share(mask.pixels) for mask in masks])
    cover = np.array([mask.coverage for mask in masks])
    odd = np.flatnonzero((rim > 0.5) & (cover > 0) & (cover < 1))
    usual = np.flatnonzero((rim <= 0.5) & (cover > 0) & (cover < 1))
    if not len(odd) or (stated and len(usual) < len(odd)):
        return tuple(masks), ()
    surely = [] if stated or not len(usual) else _inverted(odd, usual, rim, cover, masks)
    turned = list(masks)
    for k in surely:
        turned[k] = Mask(~masks[k].pixels, masks[k].source)
    notices = []
    if surely:
        text = (
            f"{first_few([masks[k].source for k in surely])}: inverted unlike the other masks, and turned: "
            "their other side is the object, by its border, size and place."
        )
        notices.append(warning("masks", text))
    doubtful = [masks[k].source for k in map(int, odd) if k not in surely]
    if doubtful:
        text = (
            f"{first_few(doubtful)}: unlike the other masks, these fill most of the border with the object. "
            "Are they inverted?"
        )
        notices.append(warning("masks", text))
    return tuple(turned), tuple(notices)


def _inverted(
    odd: np.ndarray, usual: np.ndarray, rim: np.ndarray, cover: np.ndarray, masks: Sequence[Mask]
) -> list[int]:
    least, most = cover[usual].min() / _COVERAGE, cover[usual].max() * _COVERAGE
    place = np.mean([_thumbnail(masks[k]) for k in map(int, usual)], axis=0)
    found = []
    for k in map(int, odd):
        other = 1 - _thumbnail(masks[k])
        # How much of the others' object lies on either side of this mask.
        on_other, on_own = float((place * other).sum()), float((place * (1 - other)).sum())
        fits = least <= 1 - cover[k] <= most and 1 - rim[k] <= rim[usual].max() + _BORDER
        if fits and on_other > on_own:
            found.append(k)
    return found


def _thumbnail(mask: Mask) -> np.ndarray:
    return cv2.resize(mask.pixels.astype(np.float32), _THUMBNAIL, interpolation=cv2.INTER_AREA)
