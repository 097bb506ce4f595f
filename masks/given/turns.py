"""Which way up a mask lies on its photo, where its size does not tell: square photos, and half turns.

The outline of a mask runs along edges of the photo: there the picture changes across it, not along it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from masks.given.edges import on_edges, rim_of, slopes_of
from masks.given.look import MaskLook, PhotoShape, possible_turns
from masks.given.samples import small
from masks.image_file import open_image
from masks.mask import Mask
from masks.notice import Notice, first_few, warning
from masks.pixelmap import turn_upright

_LONGEST = 512
_MOST_PHOTOS = 10
"""Photos of a set that are looked at: what was written together lies alike."""
# Scores of right turns are 0.3 (before shelves of books) to 1.2, of wrong ones -0.1 to 0.2, up to 0.5 where
# the object is nearly the same both ways: its lead is then still 0.1 to 0.2 in every photo.
_CLEAR, _CLEAR_ALONE, _DEVIATIONS = 0.15, 0.45, 3.0


def with_turns(
    looks: Sequence[MaskLook], masks: Sequence[Mask], photos: Sequence[PhotoShape]
) -> tuple[tuple[int, ...], tuple[Notice, ...]]:
    """Return the turn of every file, and warnings about those that say one thing and fit by another, or of
    which nothing tells. Files of one kind, of photos of one kind, are turned alike.
    """
    turns: list[int] = [look.turned for look in looks]
    notices: list[Notice] = []
    groups: dict[tuple[tuple[int, ...], int, int], list[int]] = {}
    for k, (look, photo) in enumerate(zip(looks, photos)):
        possible = possible_turns(look.size, look.orientation, photo)
        if look.fault or len(possible) == 0:
            continue
        if look.white_is_bright and len(possible) > 1:
            groups.setdefault((possible, look.orientation, photo.orientation), []).append(k)
            continue
        turns[k] = look.turned if look.paint is not None else possible[0]
    contradicted = [k for k, look in enumerate(looks) if not look.fault and turns[k] != look.orientation]
    # A mask without a tag that lies as its photo is stored contradicts nothing.
    names = [looks[k].path.name for k in contradicted if looks[k].orientation != 1]
    if names:
        text = (
            f"{first_few(names)}: the EXIF of these masks asks for a turn after which they would not lie on "
            "their photos; taken as they lie. Write masks without EXIF."
        )
        notices.append(warning("masks", text))
    for (possible, _, _), members in groups.items():
        turn, told = _of_group(possible, members, masks, photos)
        for k in members:
            turns[k] = turn
        notices.append(_ambiguous(possible, turn, told, [looks[k] for k in members]))
    return tuple(turns), tuple(notices)


def _ambiguous(possible: tuple[int, ...], turn: int, told: bool, looks: Sequence[MaskLook]) -> Notice:
    own = looks[0].orientation
    how = (
        "as they lie" if turn == 1 else "as their EXIF asks" if turn == own else "turned as their photos are"
    )
    why = (
        "there their outlines lie on the edges of the photos"
        if told
        else "nothing in the photos tells. Look at them"
    )
    text = (
        f"{first_few([look.path.name for look in looks])}: the photo or the mask is stored turned, and the "
        f"size of these masks does not say which way up they are. Taken {how}: {why}."
    )
    return warning("masks", text)


def _of_group(
    possible: tuple[int, ...], members: Sequence[int], masks: Sequence[Mask], photos: Sequence[PhotoShape]
) -> tuple[int, bool]:
    """Return the turn of masks that lie alike, and whether their photos told."""
    step = max(1, -(-len(members) // _MOST_PHOTOS))
    found = [scores(possible, masks[k].pixels, photos[k]) for k in members[::step]]
    each = np.array([scored for scored in found if scored is not None])
    if not len(each):
        return possible[0], False
    best, second = np.argsort(-each.mean(0), kind="stable")[:2]
    lead = each[:, best] - each[:, second]
    error = lead.std(ddof=1) / np.sqrt(len(lead)) if len(lead) > 2 else np.inf
    sure = lead.mean() > max(_CLEAR, _DEVIATIONS * error) if len(lead) > 2 else lead.mean() > _CLEAR_ALONE
    return (possible[best], True) if sure else (possible[0], False)


def scores(possible: Sequence[int], mask: np.ndarray, photo: PhotoShape) -> np.ndarray | None:
    """Return how well the outline of a mask (H, W), turned in each possible way, lies on the edges of its
    photo: the logarithm of how much more the photo changes across than along it. None where it has no
    outline.
    """
    if photo.path is None:
        return None
    picture = _upright(photo.path, photo.orientation)
    slopes, size = slopes_of(picture), picture.shape[1::-1]
    soft = mask.view(np.uint8) * np.uint8(255)
    found = []
    for turn in possible:
        upright = np.ascontiguousarray(turn_upright(soft, turn))
        rim = rim_of(cv2.resize(upright, size, interpolation=cv2.INTER_AREA))
        if rim is None:
            return None
        found.append(on_edges(rim, slopes))
    return np.array(found)


def _upright(path: Path, orientation: int) -> np.ndarray:
    return np.ascontiguousarray(turn_upright(small(open_image(path).pixels, _LONGEST), orientation))
