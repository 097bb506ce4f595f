"""From mask files and alpha channels to masks at the photos' resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np

from masks.errors import MaskError
from masks.image_file import open_levels
from masks.mask import Mask
from masks.notice import Notice, first_few, info, warning
from masks.pixelmap import turn_upright

_ASPECT_TOLERANCE = 0.01
"""Relative difference of aspect ratios up to which a mask of another size is the same picture, rounded."""


class Polarity(StrEnum):
    """Which side of a mask file is the object."""

    AUTO = "auto"
    """The side that touches the pictures' border less, over all masks together."""
    WHITE = "white"
    BLACK = "black"


@dataclass(frozen=True, slots=True)
class PhotoShape:
    """What must be known of a photo to place a mask on it."""

    name: str
    upright_size: tuple[int, int]
    orientation: int


def load_masks(
    paths: Sequence[Path], photos: Sequence[PhotoShape], polarity: Polarity
) -> tuple[tuple[Mask, ...], tuple[Notice, ...]]:
    """Read one mask file a photo, bring it to the photo's size and decide which side is the object.

    Raises `MaskError` for a file that cannot be decoded or whose aspect ratio is not the photo's.
    """
    bright, notices = [], []
    for mask, path, photo in zip(_bright_sides(paths), paths, photos):
        fitted, notice = _fit(mask, path, photo)
        bright.append(fitted)
        notices += notice
    inverted = polarity is Polarity.BLACK
    if polarity is Polarity.AUTO:
        inverted, notice = choose_polarity(bright)
        notices += [notice, *_odd_ones(bright, inverted)]
    if inverted:
        # One by one, so that both sides of all masks are never held together.
        for k, mask in enumerate(bright):
            bright[k] = Mask(~mask.pixels, mask.source)
    return tuple(bright), tuple(notices)


def _bright_sides(paths: Sequence[Path]) -> list[Mask]:
    """Return which pixels of each file are bright. One decoded file is in memory at a time."""
    whites, masks = [], []
    for path in paths:
        levels = open_levels(path)
        whites.append(white_level(levels))
        masks.append(Mask(binary(levels, whites[-1]), path.name))
    white = max(whites)
    # The white level of the set is known only now. Most files have it; the others are decoded again.
    return [
        mask if own == white else Mask(binary(open_levels(path), white), path.name)
        for path, own, mask in zip(paths, whites, masks)
    ]


def mask_from_alpha(alpha: np.ndarray, orientation: int) -> Mask:
    """Return the mask that a photo's alpha channel (H, W) uint8, as stored, holds: at least half opaque is
    object.
    """
    return Mask(np.ascontiguousarray(turn_upright(alpha >= 128, orientation)), "alpha channel")


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


def border_share(mask: np.ndarray) -> float:
    """Return which share of the picture's border is true in a mask (H, W)."""
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def _odd_ones(bright: Sequence[Mask], inverted: bool) -> list[Notice]:
    """Warn of masks whose border says the opposite of the set's: single ones may be inverted."""
    odd = [
        mask.source
        for mask in bright
        if 0 < mask.coverage < 1 and (border_share(mask.pixels) > 0.5) != inverted
    ]
    if not odd:
        return []
    return [
        warning(
            "masks",
            (
                f"{first_few(odd)}: unlike the other masks, these fill most of the border with the object. "
                "Are they inverted?"
            ),
        )
    ]


def white_level(levels: np.ndarray) -> float:
    """Return the brightest level (H, W), at least 0; one NaN of a float file must not empty all masks."""
    finite = levels[np.isfinite(levels)] if levels.dtype.kind == "f" else levels
    return float(finite.max(initial=0))


def binary(levels: np.ndarray, white: float) -> np.ndarray:
    """Threshold grey levels (H, W) at half of the white level of their set, which serves masks written as
    0/1, 0/255 and 16 bits alike.

    The white is that of all files together: in an empty mask saved as JPEG the noise must not become an
    object.
    """
    return levels > max(white, 1.0) / 2


def _fit(mask: Mask, path: Path, photo: PhotoShape) -> tuple[Mask, list[Notice]]:
    w, h = photo.upright_size
    mask_h, mask_w = mask.shape
    if (mask_w, mask_h) == (w, h):
        # Half turns, mirrors, and quarter turns of a square keep the size: it cannot tell whether the mask
        # was turned along with the photo.
        turned = photo.orientation != 1 and (photo.orientation < 5 or w == h)
        text = (
            f"{photo.name} is stored turned, and the mask's size does not say which way up it is: taken as "
            "viewers show it."
        )
        return mask, [warning(path.name, text)] if turned else []
    if photo.orientation >= 5 and (mask_h, mask_w) == (w, h):
        return Mask(turn_upright(mask.pixels, photo.orientation), mask.source), [
            info(path.name, f"the mask lies as the file of {photo.name} is stored: turned as its EXIF asks.")
        ]
    if abs(mask_w * h / (mask_h * w) - 1) > _ASPECT_TOLERANCE:
        raise MaskError(
            f"{path}: the mask is {mask_w}x{mask_h}, the photo {photo.name} is {w}x{h}, and the aspect "
            "ratios differ. "
            "Export the mask at the photo's size (a mask of a cropped photo does not fit the whole one)."
        )
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
    return Mask(resized, mask.source), [
        warning(
            path.name,
            (
                f"the mask is {mask_w}x{mask_h}, the photo {photo.name} is {w}x{h}: resampled. Export it at "
                "the photo's size for a sharp rim."
            ),
        )
    ]
