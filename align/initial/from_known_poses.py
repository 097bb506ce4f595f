"""A start from known camera poses, of all views or of some
(docs/bundle_alignment.md, "Known poses and fixed poses")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from align.initial.loop_consistency import Triplets, edge_weights
from align.initial.motion_averaging import (
    averaged_scales,
    averaged_start,
    rejected_pairs,
    rotation_residuals,
    translation_differences,
)
from align.initial.relative_poses import RelativePoses
from align.initial.start import Start
from align.rotations import nearest_rotation
from masks.errors import UserError
from pairs.views.cameras import camera_centres

_NO_SCALE = (
    "the given cameras do not stand as the pair predictions say, at any scale. Check their poses, or align "
    "without them."
)


def start_from_known_poses(
    pairs: RelativePoses,
    triplets: Triplets,
    known_poses: Mapping[int, np.ndarray],
    num_views: int,
    log_distance: Mapping[int, float],
) -> tuple[Start, float]:
    """Return known poses (4, 4), by view, and those of the other views in one world; in the unit of a start,
    with that unit in the known world.

    `log_distance` are logs of the median depths that are known of views, in their world: where poses are
    known of some views only, they set the unit, which short baselines would set badly, and one camera not at
    all. Raises `UserError` when the cameras do not stand where any scale of the predictions would put them,
    `GraphError` when the pairs do not tie all views together.
    """
    if len(known_poses) == num_views:
        return _all_known(pairs, triplets, np.stack([known_poses[view] for view in range(num_views)]))
    start = averaged_start(pairs, triplets, num_views)
    views = sorted(known_poses)
    poses = np.stack([known_poses[view] for view in views])
    unit = (
        float(np.exp(np.median([log - start.log_scale[view] for view, log in log_distance.items()])))
        if log_distance
        else None
    )
    R, t, unit = _registered(start, views, poses, unit)
    R[views], t[views] = poses[:, :3, :3], poses[:, :3, 3] / unit
    # One camera alone says nothing about the place of any other: it is the one that the world hangs on.
    return replace(
        start, R_cam_from_world=R, t_cam_from_world=t, root=views[0] if len(views) == 1 else None
    ), unit


def _all_known(pairs: RelativePoses, triplets: Triplets, cam_from_world: np.ndarray) -> tuple[Start, float]:
    """Return the start with the poses (V, 4, 4): scales from the pairs, the unit from pairs and poses
    together.
    """
    R, t, num_views = cam_from_world[:, :3, :3], cam_from_world[:, :3, 3], len(cam_from_world)
    weight = edge_weights(pairs, triplets)
    rejected, whole = rejected_pairs(pairs, np.linalg.norm(rotation_residuals(pairs, R), axis=1), num_views)
    weight = np.where(rejected, 0, weight)
    log_scale = averaged_scales(pairs, weight, num_views)
    # The baselines, not the point where the axes meet: this also holds for cameras that look in parallel.
    pair, difference = translation_differences(pairs, R, log_scale)
    axes = np.einsum("vba,vb->va", R, t)
    baseline = axes[pair[:, 0]] - axes[pair[:, 1]]
    w = np.repeat(weight, 2)[pairs.usable.ravel()]
    along, square = w @ (baseline * difference).sum(1), w @ (baseline * baseline).sum(1)
    if not along > 0:
        raise UserError(_NO_SCALE)
    unit = float(square / along)
    return Start(R, t / unit, log_scale, None, rejected, not whole), unit


def _registered(
    start: Start, views: list[int], poses: np.ndarray, unit: float | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return rotations (V, 3, 3) and translations (V, 3) of a start, in its unit, in the world of the known
    poses (G, 4, 4), and the unit there.

    A unit that is not known follows from the known cameras' distances; one camera fixes none, and it is then
    1.
    """
    R, t = start.R_cam_from_world, start.t_cam_from_world
    turns = poses[:, :3, :3].transpose(0, 2, 1) @ R[views]
    world_from_start = nearest_rotation(turns.sum(0))
    centres = -np.einsum("vba,vb->va", R, t) @ world_from_start.T
    wanted = camera_centres(poses)
    mean, wanted_mean = centres[views].mean(0), wanted.mean(0)
    if unit is None:
        unit = _unit_of(centres[views] - mean, wanted - wanted_mean)
    turned = R @ world_from_start.T
    placed = centres - mean + wanted_mean / unit
    return turned, -np.einsum("vab,vb->va", turned, placed), unit


def _unit_of(centres: np.ndarray, wanted: np.ndarray) -> float:
    """Return by how much centres (G, 3) about their middle must grow to stand as wanted (G, 3)."""
    if len(centres) == 1:
        return 1.0
    along, square = (wanted * centres).sum(), (centres**2).sum()
    if not along > 0:
        raise UserError(_NO_SCALE)
    return float(along / square)
