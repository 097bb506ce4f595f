"""How well matches agree with a solution, without any truth, and what the report says of it.

One measure for all aligners, so that their reports can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from masks.notice import Notice, warning

_NEAR_PX = 2.0
"""Matches of whole pixels are off by up to 0.7 at both ends: a narrower bound would count their rounding."""
_LEAST_SHARE, _LEAST_OF_USUAL = 0.15, 0.5
"""A view is misplaced when its share is below the larger of this and that part of the usual one, which says
nothing where most views are misplaced."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Reprojection errors over all matches in both directions, in pixels of the grid. NaN without any."""

    median_px: float
    cut_mean_px: float
    """Mean of the errors, each cut at two pixels: wrong matches, which no solution explains, have no say in
    it."""
    near_share: float
    """Share within two pixels."""
    view_near_share: np.ndarray  # (V,)
    """The same for each view's own points, seen by the others. NaN for a view without matches."""

    @property
    def checked(self) -> bool:
        """Whether there are matches at all."""
        return bool(np.isfinite(self.near_share))

    @property
    def usual_share(self) -> float:
        """Median of the views' shares; NaN without matches."""
        known = self.view_near_share[np.isfinite(self.view_near_share)]
        return float(np.median(known)) if len(known) else np.nan

    @property
    def misplaced(self) -> np.ndarray:
        """Views whose share is below half of the usual, or below 0.15."""
        # fmax: without a usual share there is none to fall below. A view's NaN compares false.
        return np.flatnonzero(
            self.view_near_share < np.fmax(_LEAST_SHARE, _LEAST_OF_USUAL * self.usual_share)
        )

    def figures(self) -> dict[str, Any]:
        """Return the numbers by name, ready for JSON: none where they are not finite."""
        return {
            "median reprojection error px": _number(self.median_px),
            "mean reprojection error cut at 2 px": _number(self.cut_mean_px),
            "share within 2 px": _number(self.near_share),
            "share within 2 px by view": [_number(share) for share in self.view_near_share],
        }


def agreement_of(error: Tensor, view: Tensor, num_views: int) -> Agreement:
    """Return the agreement of errors (M,) in pixels, each of a point that a view (M,) owns and another one
    sees.
    """
    count = torch.bincount(view, minlength=num_views)
    near = (error <= _NEAR_PX).to(error)
    total = torch.zeros(num_views).to(error).index_add_(0, view, near)
    by_view = (total / count).numpy()  # 0 / 0 is NaN
    if len(error) == 0:
        return Agreement(np.nan, np.nan, np.nan, by_view)
    cut = error.clamp(max=_NEAR_PX)
    return Agreement(float(error.median()), float(cut.mean()), float(near.mean()), by_view)


def agreement_notices(agreement: Agreement, names: Sequence[str], doubtful_share: float) -> list[Notice]:
    """Return what the report must say: a scene in which less than a share of all matches agree, and by name
    views that are misplaced or that nothing checks.
    """
    notices = []
    if agreement.near_share < doubtful_share:
        text = (
            f"only {100 * agreement.near_share:.0f} % of the matches agree with the scene within 2 px: it is "
            "doubtful. Check masks and predictions."
        )
        notices.append(warning("alignment", text))
    for view in map(int, np.flatnonzero(np.isnan(agreement.view_near_share))):
        notices.append(warning(names[view], "has no matches: it stands where it began, unchecked."))
    for view in map(int, agreement.misplaced):
        text = (
            f"only {100 * agreement.view_near_share[view]:.0f} % of its matches agree with its place within "
            f"2 px ({100 * agreement.usual_share:.0f} % is usual): perhaps misplaced."
        )
        notices.append(warning(names[view], text))
    return notices


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
