"""First poses and scales of all views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Start:
    """Poses in a world whose unit is the mean (geometric) distance of the object."""

    R_cam_from_world: np.ndarray  # (V, 3, 3)
    t_cam_from_world: np.ndarray  # (V, 3)
    log_scale: np.ndarray  # (V,), mean 0
    """Depth = exp(log scale) x canonical depth over its median."""
    root: int | None
    """View whose pose and scale the pairs leave open; none where poses are known."""
    rejected: np.ndarray  # (E,) bool
    """Pairs whose rotation the others contradict: they and their matches take no further part."""
    rejection_skipped: bool
    """Pairs would have been rejected, but the graph would have fallen apart."""
