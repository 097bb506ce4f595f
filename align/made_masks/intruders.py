"""Masks of few photos that hold something else than the object: a hand, a sleeve, a tool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from masks.making.check import MaskFigures
from masks.notice import Notice, first_few, warning

_LEAST_VIEWS = 6
_FEW = 1 / 3
"""Of the views: what is in more of them is no intruder."""
_LEAST_CUT, _ODD_CUT = 0.02, 5.0
"""Share of a mask that other views contradict, and against the median view's: an arm has 0.16, what a shadow
left at a rim 0.013 at most."""
_LEAST_BORDER = 0.004
"""Of the photo's border: 9 pixels of 640x480, a finger; the median view must touch less than a tenth."""


def intruder_notices(figures: Sequence[MaskFigures]) -> tuple[Notice, ...]:
    """Return which masks hold what the others do not: arms come in from the photo's border, and no two views
    agree on where they are. Those that are doubtful are named already.
    """
    if len(figures) < _LEAST_VIEWS:
        return ()
    cuts = np.array([own.cut or 0.0 for own in figures])
    borders = np.array([own.border for own in figures])
    odd = cuts > max(_LEAST_CUT, _ODD_CUT * float(np.median(cuts)))
    if np.median(borders) < _LEAST_BORDER / 10:
        odd |= borders > _LEAST_BORDER
    if not odd.any() or odd.sum() > _FEW * len(figures):
        return ()
    named = [own.name for own, is_odd in zip(figures, odd) if is_odd and not own.doubts]
    if not named:
        return ()
    text = (
        f"{first_few(named)}: something that the other photos do not show reaches into the mask, as an arm "
        "does. Look at it, and correct it or leave the photo out."
    )
    return (warning("masks", text),)
