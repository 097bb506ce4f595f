"""What is suspicious about photos and masks that were read: masks that do not lie on their photos, and photos
that are nearly black or white.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from masks.given.turns import on_edges
from masks.notice import Notice, first_few, warning
from pairs.views.view import View, grid_mask

_FEWEST = 4
# Right masks have 0.3 to 1.4 and stray within a set by 4 to 8 % (robust deviation; the worst of 104 by 2.7
# deviations, and by a sixth). Masks that are shifted by 20 of 640 pixels have a tenth of the others' scores,
# those of the photo 15 degrees further a third to nine tenths.
_CLEAR, _DEVIATIONS, _SHARE, _LEAST = 0.15, 5.0, 0.1, 0.6
_DARK, _BRIGHT = 32, 224
"""Grey values of 255: what is darker all over, or brighter, shows nothing."""
_ALL_OVER = 0.5
"""Percent of the pixels that may be otherwise: noise, and dust."""


def misplaced_masks(views: Sequence[View]) -> tuple[Notice, ...]:
    """Return a warning that names the masks whose outlines lie on no edges of their photos, as those of the
    others do: shifted, or of another photo.
    """
    scored = {}
    for view in views:
        score = None if view.mask is None else on_edges(grid_mask(view), view.image)
        if score is not None:
            scored[view.name] = score
    usual = float(np.median(list(scored.values()))) if len(scored) >= _FEWEST else 0.0
    if usual <= _CLEAR:
        return ()
    strays = 1.4826 * float(np.median([abs(score - usual) for score in scored.values()]))
    least = max(_LEAST * usual, usual - max(_DEVIATIONS * strays, _SHARE * usual))
    odd = [name for name, score in scored.items() if score < least]
    if not odd:
        return ()
    text = (
        f"{first_few(odd)}: the outlines of their masks do not lie on edges of these photos, as those of the "
        "others do. Are they shifted, or masks of other photos?"
    )
    return (warning("masks", text),)


def exposure_notices(views: Sequence[View]) -> tuple[Notice, ...]:
    """Return warnings that name photos which are nearly black, or nearly white, all over the object."""
    dark, bright = [], []
    for view in views:
        shown = view.image[grid_mask(view)]
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
