"""What depth maps of a size cost, before any work (docs/classical_backend.md, "Finer depth")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from masks.errors import ReconstructionError
from pairs.backends.classical.stereo.depth_map import halvings
from pairs.views.view import View

# Fitted to eight photos of a turntable at 512 to 1600 pixels; the estimate is within a fifth there.
_SECONDS_A_VIEW = 1.0
_SECONDS_SWEPT, _SECONDS_REFINED, _SECONDS_GRID = 14e-6, 1.8e-6, 1e-6
"""CPU seconds a pixel: of the object where it is swept, of the object at every size beyond, of the grid."""
_BYTES_PROGRAM, _BYTES_WORKER = 0.5e9, 0.15e9
_BYTES_ALIGNED, _BYTES_MEASURED = 130, 20
"""A pixel of all grids, while they are aligned and while workers measure."""
_BYTES_SWEPT, _BYTES_REFINED = 600, 100
"""A pixel of the largest grid at the size that is swept and at its own, a worker."""
_MULTIPLE = 64


@dataclass(frozen=True, slots=True)
class DepthCost:
    """Estimates for everything behind the solved cameras."""

    cpu_seconds: float
    bytes: float
    """Of all processes together, at most."""


def depth_cost(views: Sequence[View], workers: int) -> DepthCost:
    """Return what the depth of views costs, measured and aligned."""
    seconds, largest = 0.0, 0.0
    grid = [view.image.shape[0] * view.image.shape[1] for view in views]
    for view, pixels in zip(views, grid):
        times = halvings([view.image.shape[:2]])
        covered = _object_pixels(view)
        seconds += _SECONDS_A_VIEW + _SECONDS_SWEPT * covered / 4**times + _SECONDS_GRID * pixels
        seconds += sum(_SECONDS_REFINED * covered / 4**size for size in range(times))
        measuring = _BYTES_SWEPT * pixels / 4**times + _BYTES_REFINED * pixels
        largest = max(largest, _BYTES_WORKER + measuring)
    total = sum(grid)
    busy = workers * largest + _BYTES_MEASURED * total
    return DepthCost(seconds, _BYTES_PROGRAM + max(_BYTES_ALIGNED * total, busy))


def require_depth_memory(views: Sequence[View], cost: DepthCost, free: float | None) -> None:
    """Raise `ReconstructionError` where the depth of views takes more memory than is `free`."""
    if free is None or cost.bytes <= free:
        return
    longest = max(max(view.image.shape[:2]) for view in views)
    # Memory grows with the square of the side; what does not is left for the step below.
    fitting = int(longest * np.sqrt(max(free - _BYTES_PROGRAM, 0) / cost.bytes)) // _MULTIPLE * _MULTIPLE
    fewer = "Close other programs, or give fewer photos"
    remedy = f"Give `longest={fitting}`" if fitting >= _MULTIPLE else fewer
    raise ReconstructionError(
        f"depth maps of up to {longest} pixels for {len(views)} photos take about {cost.bytes / 1e9:.1f} GB, "
        f"and {free / 1e9:.1f} GB are free. {remedy}."
    )


def _object_pixels(view: View) -> float:
    """Return how many pixels of the grid the object has, by its share of the photo."""
    if view.mask is None:
        return view.image.shape[0] * view.image.shape[1]
    w, h = view.photo_size
    across, down = view.grid_from_photo.scale
    return view.mask.coverage * w * across * h * down
