"""What the depth of a view is made from: its neighbours, the way to them, the range, and the store's key of all that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pairs.backends.classical.depth_options import DepthOptions
from pairs.backends.classical.keys import stage_key
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.backends.classical.stereo.plan import choose_neighbours, inverse_depth_range, scene_inverse_depths
from pairs.backends.classical.stereo.warp import Transfer, transfer
from pairs.views.cameras import Cameras
from pairs.views.view import View

RAW_KIND = "raw_depth"
"""Name of the raw depths' folder in the store."""


@dataclass(frozen=True, slots=True)
class DepthPlan:
    """How one view is measured. Numbers of views are positions among the placed ones."""

    neighbours: tuple[int, ...]
    """One to four, best first."""
    there: tuple[Transfer, ...]
    """From the view to each neighbour."""
    back: tuple[Transfer, ...]
    """From each neighbour to the view."""
    inverse_range: tuple[float, float]
    """(far, near) inverse depth."""
    key: str
    """Digest of everything that can change the view's raw depth: its key in the store."""


def depth_plans(views: Sequence[View], solve: SceneSolve, cameras: Cameras, options: DepthOptions) -> dict[int, DepthPlan]:
    """Return the plan of every placed view that has neighbours and scene points; `cameras` have K on the views' grids."""
    chosen = {v: neighbours for v, neighbours in enumerate(choose_neighbours(solve)) if neighbours}
    inverse_depths = {v: scene_inverse_depths(solve, v) for v in chosen}
    return {v: _plan(views, cameras, v, chosen[v], inverse_depth_range(q), options) for v, q in inverse_depths.items() if len(q)}


def _plan(
    views: Sequence[View], cameras: Cameras, v: int, neighbours: tuple[int, ...], inverse_range: tuple[float, float], options: DepthOptions
) -> DepthPlan:
    there = tuple(transfer(cameras, n, v) for n in neighbours)
    back = tuple(transfer(cameras, v, n) for n in neighbours)
    names = [views[i].key for i in (v, *neighbours)]
    moves = [array for move in (*there, *back) for array in (move.homography, move.epipole)]
    key = stage_key(RAW_KIND, options.min_planes, options.max_planes, names, inverse_range, *moves)
    return DepthPlan(neighbours, there, back, inverse_range, key)
