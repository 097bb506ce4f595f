"""Places scanned all over: what each costs, and where costs are least."""

from __future__ import annotations

import numpy as np

from pairs.rings.tangency import Hulls

_CLIPPED_PX = 30.0
"""A tangent that is off by more says no more."""


def bounded_costs(residual: np.ndarray, hulls: Hulls, width_px: float) -> np.ndarray:
    """Return r^2 / (r^2 + width^2), 0 to 1, of residuals in pixels: a mean of it tells places apart though
    most of them are far off.
    """
    squared = np.minimum(np.abs(residual) / hulls.scale, _CLIPPED_PX) ** 2
    return squared / (squared + width_px**2)


def circular_minima(costs: np.ndarray) -> np.ndarray:
    """Return where costs (N,) all round are no higher than at both neighbours, the least first."""
    low = np.flatnonzero((costs <= np.roll(costs, 1)) & (costs <= np.roll(costs, -1)))
    return low[np.argsort(costs[low], kind="stable")]
