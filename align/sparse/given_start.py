"""A start from given camera poses (the default aligner's design, chapter 7.1): sizes from the pairs, the unit from pairs and poses together."""

from __future__ import annotations

import numpy as np

from align.sparse.averaging import Start, averaged_sizes, contradicted, place_differences, rotation_residuals
from align.sparse.edge_quality import Triangles, edge_weights
from align.sparse.measured_pairs import MeasuredPairs
from masks.errors import SolverError


def given_start(pairs: MeasuredPairs, triangles: Triangles, cam_from_world: np.ndarray) -> tuple[Start, float]:
    """Return given poses (V, 4, 4) in the unit of a start, and that unit in the given world.

    Raises `SolverError` when the cameras do not stand where any scale of the predictions would put them.
    """
    R, t, num_views = cam_from_world[:, :3, :3], cam_from_world[:, :3, 3], len(cam_from_world)
    weight = edge_weights(pairs, triangles)
    rejected, whole = contradicted(pairs, np.linalg.norm(rotation_residuals(pairs, R), axis=1), num_views)
    weight = np.where(rejected, 0, weight)
    log_size = averaged_sizes(pairs, weight, num_views)
    # The baselines, not the point where the axes meet: this also holds for cameras that look in parallel.
    pair, difference = place_differences(pairs, R, log_size)
    axes = np.einsum("vba,vb->va", R, t)
    baseline = axes[pair[:, 0]] - axes[pair[:, 1]]
    w = np.repeat(weight, 2)[pairs.usable.ravel()]
    along, square = w @ (baseline * difference).sum(1), w @ (baseline * baseline).sum(1)
    if not along > 0:
        raise SolverError("the given cameras do not stand as the pair predictions say, at any scale. Check their poses, or align without them.")
    unit = float(square / along)
    return Start(R, t / unit, log_size, None, rejected, not whole), unit
