"""Looking at one mask file: what it holds, and which of its pixels are bright."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from masks.given.levels import (
    along,
    differs_from_rim,
    is_coloured,
    levels_of,
    scale_of,
    two_colours,
)
from masks.given.look import Kind, MaskLook, PhotoShape, possible_turns
from masks.given.pictures import CutOut, judged
from masks.given.samples import border_of, sparse
from masks.image_file import open_mask
from masks.mask import Mask

_FAINT = 0.25
"""Of the set's white: a file that is darker is judged by its shape, too, for noise is no object."""
_PICTURE_SHARE = 0.3
"""Of what differs from its border: so much of a grey picture, and little of a matte, lies between
both ends."""


Looked = tuple[MaskLook, Mask]
"""What was found in a file, and which of its pixels, as stored, are bright or the object."""


def look_at(path: Path, photo: PhotoShape) -> Looked:
    """Return what one mask file holds, and which of its pixels, as stored, are bright by its own levels; of a
    cut-out, and of a file of several levels, which are the object.

    Raises `ImageError` for a file that cannot be decoded.
    """
    file = open_mask(path)
    h, w = file.levels.shape
    own = file.orientation
    look = MaskLook(path, Kind.SOFT, 0.0, 0.0, 255.0, True, (w, h), own, own)
    levels = file.levels
    if file.colours is not None and is_coloured(file.colours):
        ends = two_colours(file.colours)
        if ends is None:
            return _of_picture(look, file.colours, photo)
        levels = along(file.colours, *ends)
    found = levels_of(levels)
    scale = scale_of(levels, found.high)
    look = replace(look, kind=found.kind, low=found.low, high=found.high, scale=scale)
    look = replace(look, compact=found.compact, between=found.between)
    if found.kind is Kind.LABELS:
        return look, Mask(differs_from_rim(levels), path.name)
    if found.kind is Kind.SOFT and not file.alpha:
        shown = _grey_picture(look, levels, photo)
        if shown is not None:
            return shown
    middle = (found.low + found.high) / 2 if look.by_own_levels else found.high / 2
    return look, Mask(levels > middle, path.name)


def by_white_of_set(look: MaskLook, mask: Mask, white: float) -> Mask:
    """Return the mask of a file by the white of its set, a share of its format's, where its own levels do not
    say what is bright: it has one level, soft ones, or noise.
    """
    faint = look.high < _FAINT * white * look.scale
    own = look.high == white * look.scale or (look.by_own_levels and (look.compact or not faint))
    if own or not look.white_is_bright:
        return mask
    return Mask(open_mask(look.path).levels > white * look.scale / 2, look.path.name)


def _grey_picture(look: MaskLook, levels: np.ndarray, photo: PhotoShape) -> tuple[MaskLook, Mask] | None:
    """Return what grey levels are where they are those of a photo; none where they are a matte."""
    share = (sparse(levels).astype(np.float32) - look.low) / (look.high - look.low)
    rim = np.median(border_of(share))
    away, middle = np.abs(share - rim) > 0.15, (share > 0.15) & (share < 0.85)
    if photo.path is None or (middle & away).sum() < _PICTURE_SHARE * away.sum():
        return None
    turns = possible_turns(look.size, look.orientation, photo)
    if levels.dtype != np.uint8:
        levels = (np.clip((levels - look.low) / (look.high - look.low), 0, 1) * 255).astype(np.uint8)
    found = judged(np.repeat(levels[..., None], 3, axis=-1), turns, photo) if turns else None
    # Colours that are grey on one side alone are no difference of details.
    return None if found is None or found.alike < 0.5 else _said(look, found)


def _of_picture(look: MaskLook, colours: np.ndarray, photo: PhotoShape) -> tuple[MaskLook, Mask]:
    # Where no turn fits, its size is the fault, which is said where masks are fitted to their photos.
    turns = possible_turns(look.size, look.orientation, photo)
    if not turns:
        nothing = np.zeros(colours.shape[:2], bool)
        return replace(look, kind=Kind.PICTURE), Mask(nothing, look.path.name)
    return _said(look, judged(colours, turns, photo))


def _said(look: MaskLook, found: CutOut) -> tuple[MaskLook, Mask]:
    if found.object is None or found.paint is None:
        w, h = look.size
        nothing = np.zeros((h, w), bool)
        picture = replace(look, kind=Kind.PICTURE, turned=found.turned, fault=found.fault)
        return picture, Mask(nothing, look.path.name)
    r, g, b = (int(c) for c in np.rint(found.paint.colour))
    cut_out = replace(look, kind=Kind.CUT_OUT, turned=found.turned, paint=(r, g, b))
    return cut_out, Mask(np.ascontiguousarray(found.object), look.path.name)
