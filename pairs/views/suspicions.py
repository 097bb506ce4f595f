"""What is suspicious about photos and masks that were read: masks that do not lie on their photos, and photos
that are nearly black or white.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from masks.folders.strange_photos import strange_notices
from masks.given.placement import Laid, placement_notices
from masks.notice import Notice, first_few, warning
from pairs.views.view import View, grid_mask

_DARK, _BRIGHT = 32, 224
"""Grey values of 255: what is darker all over, or brighter, shows nothing."""
_ALL_OVER = 0.5
"""Percent of the pixels that may be otherwise: noise, and dust."""


def suspicions(views: Sequence[View]) -> tuple[Notice, ...]:
    """Return warnings about photos and masks that were read."""
    # Masks of large photos take long to shrink: once for all.
    masks = [grid_mask(view) for view in views]
    strange = strange_notices([view.name for view in views], [view.image for view in views])
    return (*misplaced_masks(views, masks), *exposure_notices(views, masks), *strange)


def misplaced_masks(views: Sequence[View], masks: Sequence[np.ndarray]) -> tuple[Notice, ...]:
    """Return warnings that name the masks (H, W) bool, on the views' grids, whose outlines lie on no edges of
    their photos, and where they would lie better.
    """
    return placement_notices(
        [
            Laid(view.name, mask, view.image, view.photo_size, view.grid_from_photo.matrix)
            for view, mask in zip(views, masks)
            if view.mask is not None
        ]
    )


def exposure_notices(views: Sequence[View], masks: Sequence[np.ndarray]) -> tuple[Notice, ...]:
    """Return warnings that name photos which are nearly black, or nearly white, all over the object of their
    masks (H, W) bool, on the views' grids.
    """
    dark, bright = [], []
    for view, mask in zip(views, masks):
        shown = view.image[mask]
        if not len(shown):
            continue
        low, high = np.percentile(shown.max(-1), [_ALL_OVER, 100 - _ALL_OVER])
        if high < _DARK:
            dark.append(view.name)
        elif low > _BRIGHT:
            bright.append(view.name)
    notices = []
    for names, kind in ((dark, "black"), (bright, "white")):
        if names:
            text = (
                f"{first_few(names)}: nearly {kind} all over, so that little can be found in them. Export "
                "them at the range of 8 bits, or with another exposure."
            )
            notices.append(warning("photos", text))
    return tuple(notices)
