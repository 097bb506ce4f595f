"""Cameras by their places: which stand near each other, and a solved scene brought to known ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import roma
import torch

from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.backends.classical.sfm.matching import Pair
from pairs.views.cameras import camera_centres

_NEAREST = 6
_MOST_TURN = np.deg2rad(60.0)
"""Between views that may show the same surface."""


def near_cameras(stated: Mapping[int, np.ndarray]) -> list[Pair]:
    """Return the pairs of views whose known cameras (4, 4) stand next to each other and look alike."""
    if len(stated) < 2:
        return []
    views = np.array(sorted(stated))
    poses = np.stack([stated[view] for view in views.tolist()])
    R, centres = torch.from_numpy(poses[:, :3, :3].copy()), camera_centres(poses)
    turn = roma.rotmat_geodesic_distance(R[:, None], R[None]).numpy()
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    distance[turn > _MOST_TURN] = np.inf
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :_NEAREST]
    return sorted(
        {
            (int(min(views[a], views[b])), int(max(views[a], views[b])))
            for a, row in enumerate(nearest)
            for b in row
            if np.isfinite(distance[a, b])
        }
    )


def registered(model: MapperModel, known: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Return the poses (4, 4) of a solved scene's other views in the world of known ones.

    One known camera says nothing of the scale: it is the scene's then.
    """
    shared = [k for k, view in enumerate(model.placed) if view in known]
    mine, theirs = model.cameras.cam_from_world, np.stack([known[model.placed[k]] for k in shared])
    turns = (theirs[:, :3, :3].transpose(0, 2, 1) @ mine[shared, :3, :3]).sum(0)
    turn = roma.special_procrustes(torch.from_numpy(turns)).numpy()
    here, there = camera_centres(mine[shared]) @ turn.T, camera_centres(theirs)
    spread = here - here.mean(0)
    square = float((spread**2).sum())
    scale = float((spread * (there - there.mean(0))).sum()) / square if square > 0 else 1.0
    scale = scale if scale > 0 else 1.0
    moved = there.mean(0) - scale * here.mean(0)
    found = {}
    for k, view in enumerate(model.placed):
        if view in known:
            continue
        pose, centre = np.eye(4), scale * (turn @ camera_centres(mine[k : k + 1])[0]) + moved
        pose[:3, :3] = mine[k, :3, :3] @ turn.T
        pose[:3, 3] = -pose[:3, :3] @ centre
        found[view] = pose
    return found
