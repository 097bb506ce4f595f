"""From mask files and alpha channels to masks at the photos' resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from masks.errors import MaskError
from masks.given.look import Kind, MaskLook, PhotoShape, possible_turns
from masks.given.looking import Looked, by_white_of_set, look_at
from masks.given.polarity import choose_polarity, with_odd_ones_turned
from masks.given.turns import with_turns
from masks.mask import Mask
from masks.notice import Notice, first_few, info, warning
from masks.pixelmap import turn_upright

_VAGUE = 0.5
"""Area of soft levels, of that of the bright side: of mattes with a rim of a thirtieth of the picture 0.2."""


class Polarity(StrEnum):
    """Which side of a mask file is the object."""

    AUTO = "auto"
    """The side that touches the pictures' border less, over all masks together."""
    WHITE = "white"
    BLACK = "black"


def load_masks(
    paths: Sequence[Path],
    photos: Sequence[PhotoShape],
    polarity: Polarity,
    looked: Mapping[Path, Looked] = MappingProxyType({}),
) -> tuple[tuple[Mask, ...], tuple[Notice, ...]]:
    """Read one mask file a photo, bring it to the photo's size and decide which side is the object; files
    that were `looked` at are not read again.

    Raises `MaskError` for a file that cannot be decoded, that is a picture of which no mask can be made, or
    whose aspect ratio is not the photo's.
    """
    # One decoded file is in memory at a time.
    found = [looked.get(path) or look_at(path, photo) for path, photo in zip(paths, photos)]
    looks = [look for look, _ in found]
    _require_masks(looks)
    # The white of all files together: in an empty mask saved as JPEG the noise must not become an object.
    white = max((look.high / look.scale for look in looks if look.white_is_bright), default=1.0)
    masks = [by_white_of_set(look, mask, white) for look, mask in found]
    del found
    turns, notices = with_turns(looks, masks, photos)
    looks = [replace(look, turned=turn) for look, turn in zip(looks, turns)]
    said = [*look_notices(looks), *notices]
    for k, (look, photo) in enumerate(zip(looks, photos)):
        masks[k], remarks = _fit(masks[k], look, photo)
        said += remarks
    undecided = [k for k, look in enumerate(looks) if look.white_is_bright]
    objects, remarks = _objects([masks[k] for k in undecided], polarity)
    for k, mask in zip(undecided, objects):
        masks[k] = mask
    return tuple(masks), (*said, *remarks)


def _objects(bright: list[Mask], polarity: Polarity) -> tuple[Sequence[Mask], list[Notice]]:
    """Return the objects of files that say which side is bright."""
    if not bright:
        return [], []
    notices = []
    inverted = polarity is Polarity.BLACK
    if polarity is Polarity.AUTO:
        inverted, notice = choose_polarity(bright)
        notices.append(notice)
    if inverted:
        # One by one, so that both sides of all masks are never held together.
        for k, mask in enumerate(bright):
            bright[k] = Mask(~mask.pixels, mask.source)
    objects, odd = with_odd_ones_turned(bright, polarity is not Polarity.AUTO)
    return objects, [*notices, *odd]


def _require_masks(looks: Sequence[MaskLook]) -> None:
    faults = [f"{look.path.name} {look.fault}" for look in looks if look.fault]
    if not faults:
        return
    folder = next(look.path.parent for look in looks if look.fault)
    raise MaskError(
        f"{folder}: {first_few(faults, '; ')}. A mask is white on the object and black elsewhere; a "
        "cut-out of the photo before one plain colour, or with an alpha channel, does as well. Export such "
        "files, or pass `masks=none`."
    )


def look_notices(looks: Sequence[MaskLook]) -> list[Notice]:
    """Return what is said of files that are no masks of two levels."""
    notices = []
    cut_outs = [look for look in looks if look.kind is Kind.CUT_OUT]
    if cut_outs:
        paints = dict.fromkeys(str(look.paint) for look in cut_outs)
        text = (
            f"{first_few([look.path.name for look in cut_outs])}: pictures, not masks: cut-outs before a "
            f"plain colour, {first_few(list(paints))}. What differs from it is the object."
        )
        notices.append(warning("masks", text))
    soft = [look for look in looks if look.kind is Kind.SOFT]
    if soft:
        levels = dict.fromkeys(f"{max(look.high for look in soft) / 2:g}" for look in soft)
        text = (
            f"{first_few([look.path.name for look in soft])}: soft levels between background and object; "
            f"what is above half of the brightest, {first_few(list(levels))}, counts."
        )
        notices.append(info("masks", text))
    vague = [look.path.name for look in soft if look.between > _VAGUE]
    if vague:
        text = (
            f"{first_few(vague)}: most of what is bright in them is neither black nor white. Are they masks, "
            "or pictures, such as depth maps?"
        )
        notices.append(warning("masks", text))
    labels = [look for look in looks if look.kind is Kind.LABELS]
    if labels:
        text = (
            f"{first_few([look.path.name for look in labels])}: more than two levels, as files of several "
            "objects have them: every level but that of the border counts as the object."
        )
        notices.append(warning("masks", text))
    dark = [look.path.name for look in looks if _is_dark(look, looks)]
    if dark:
        text = (
            f"{first_few(dark)}: written on another scale than the others; each is cut between its own two "
            "levels."
        )
        notices.append(info("masks", text))
    return notices


def _is_dark(look: MaskLook, looks: Sequence[MaskLook]) -> bool:
    """Tell whether a mask of two levels is written with another white than the brightest of its set."""
    two = [each.high for each in looks if each.kind is Kind.TWO_LEVELS]
    return look.kind is Kind.TWO_LEVELS and look.high < max(two) / 2


def mask_from_alpha(alpha: np.ndarray, orientation: int) -> Mask:
    """Return the mask that a photo's alpha channel (H, W) uint8, as stored, holds: at least half opaque is
    object.
    """
    return Mask(np.ascontiguousarray(turn_upright(alpha >= 128, orientation)), "alpha channel")


def white_level(levels: np.ndarray) -> float:
    """Return the brightest level (H, W), at least 0; one NaN of a float file must not empty all masks."""
    finite = levels[np.isfinite(levels)] if levels.dtype.kind == "f" else levels
    return float(finite.max(initial=0))


def binary(levels: np.ndarray, white: float) -> np.ndarray:
    """Threshold grey levels (H, W) at half of the white level of their set, which serves masks written as
    0/1, 0/255 and 16 bits alike.
    """
    return levels > max(white, 1.0) / 2


def _fit(mask: Mask, look: MaskLook, photo: PhotoShape) -> tuple[Mask, list[Notice]]:
    w, h = photo.upright_size
    name, path = look.path.name, look.path
    if look.turned not in possible_turns(look.size, look.orientation, photo):
        mask_w, mask_h = look.size
        raise MaskError(
            f"{path}: the mask is {mask_w}x{mask_h}, the photo {photo.name} is {w}x{h}, and the aspect "
            "ratios differ. "
            "Export the mask at the photo's size (a mask of a cropped photo does not fit the whole one)."
        )
    notices = []
    if look.turned != 1:
        mask = Mask(np.ascontiguousarray(turn_upright(mask.pixels, look.turned)), mask.source)
        if look.orientation == 1:
            text = f"the mask lies as the file of {photo.name} is stored: turned as its EXIF asks."
            notices.append(info(name, text))
    mask_h, mask_w = mask.shape
    if (mask_w, mask_h) == (w, h):
        return mask, notices
    # Areas when shrinking, so that 0.5 means half covered. Bilinear when growing: bicubic would overshoot at
    # the rim and move the edge.
    shrinking = w <= mask_w
    resized = (
        cv2.resize(
            mask.pixels.astype(np.float32),
            (w, h),
            interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR,
        )
        >= 0.5
    )
    text = (
        f"the mask is {mask_w}x{mask_h}, the photo {photo.name} is {w}x{h}: resampled. Export it at "
        "the photo's size for a sharp rim."
    )
    return Mask(resized, mask.source), [*notices, warning(name, text)]
