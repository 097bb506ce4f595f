"""What is suspicious about a set of masks, and shrinking them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from masks.errors import MaskError
from masks.given.samples import small
from masks.mask import Mask, border_share, shrunk
from masks.notice import Notice, first_few, info, left_out, warning

_FULL = 0.98
_LINES = 0.1
"""Share of a photo that drawn lines may cover."""
_LONGEST, _LINE_PX, _THICK, _ENCLOSED = 320, 7, 0.1, 2
"""Of masks that are outlines: the longer side that is looked at, and in it the width that lines do not have
but in so much of their area; and the area that they enclose, in theirs."""
# A few border pixels are JPEG noise or a turntable's edge; above this share the frame cuts the object.
_BORDER_SHARE = 0.02


def erode(mask: Mask, radius_px: int) -> Mask:
    """Return the mask without a rim of `radius_px` photo pixels, for masks that bleed into the background.
    The picture's border is no rim.
    """
    if radius_px < 0:
        raise MaskError(f"`erode_px={radius_px}`: masks can only shrink. Give 0 or more pixels.")
    if radius_px == 0:
        return mask
    eroded = shrunk(mask.pixels, radius_px, cv2.MORPH_ELLIPSE)
    if mask.pixels.any() and not eroded.any():
        raise MaskError(
            f"{mask.source}: `erode_px={radius_px}` leaves nothing of this mask. Choose a smaller number."
        )
    return Mask(eroded, mask.source)


def _is_drawn(mask: Mask) -> bool:
    """Tell whether a mask is the drawn outline of an object: lines that enclose many times their area."""
    if mask.coverage > _LINES:
        return False
    share = small(mask.pixels.view(np.uint8) * np.uint8(255), _LONGEST)
    lines = np.pad((share > 0).astype(np.uint8), 1)
    thick = cv2.morphologyEx(lines, cv2.MORPH_OPEN, np.ones((_LINE_PX,) * 2, np.uint8))
    if thick.sum() > _THICK * lines.sum():
        return False
    around = lines.copy()
    cv2.floodFill(around, None, (0, 0), 1)
    return int((around == 0).sum()) > _ENCLOSED * int(lines.sum())


def check_masks(names: Sequence[str], masks: Sequence[Mask]) -> tuple[tuple[bool, ...], tuple[Notice, ...]]:
    """Return which masks can be used, and notices: empty ones, suspicious ones, and the coverage of every
    view.

    Raises `MaskError` when all are empty.
    """
    usable = tuple(mask.coverage > 0 for mask in masks)
    if masks and not any(usable):
        others = f", and so are the {len(masks) - 1} others" if len(masks) > 1 else ""
        raise MaskError(
            f"{masks[0].source}: every mask is empty{others}. "
            "Check that they were exported, and their polarity (`polarity=white` or black)."
        )
    notices: list[Notice] = []
    cut = []
    for name, mask, keep in zip(names, masks, usable):
        if not keep:
            notices.append(
                left_out(name, f"its mask ({mask.source}) is empty. Paint the object or remove the photo.")
            )
        elif mask.coverage > _FULL:
            notices.append(
                warning(
                    name,
                    (
                        f"its mask ({mask.source}) covers {100 * mask.coverage:.0f} % of the photo: nothing "
                        "is masked away."
                    ),
                )
            )
        elif border_share(mask.pixels) > _BORDER_SHARE:
            cut.append(name)
    thin = [name for name, mask, keep in zip(names, masks, usable) if keep and _is_drawn(mask)]
    if thin:
        text = (
            f"{first_few(thin)}: their masks are thin lines around what is not masked. Are they outlines? "
            "Fill them."
        )
        notices.append(warning("masks", text))
    if cut:
        text = (
            f"the object touches the photo's border in {first_few(cut)}: what lies outside is not "
            "reconstructed."
        )
        notices.append(info("masks", text))
    coverages = [mask.coverage for mask, keep in zip(masks, usable) if keep]
    if coverages:
        low, high = 100 * min(coverages), 100 * max(coverages)
        notices.append(
            info("masks", f"{len(coverages)} masks cover {low:.1f} to {high:.1f} % of their photos.")
        )
    return usable, tuple(notices)
