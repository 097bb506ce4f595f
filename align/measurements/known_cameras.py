"""What is known of cameras before the alignment: stated by the user, or handed on by the backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from pairs.prediction.predictions import Predictions
from pairs.views.view import View, grid_K


@dataclass(frozen=True, slots=True)
class PosePrior:
    """How far known poses are believed."""

    rotation_sigma_deg: float = 1.0
    """Standard deviation of a rotation, over all axes."""
    centre_sigma: float = 0.01
    """Of a camera centre, over all axes, in units of the object's distance."""
    fixed: bool = False
    """Known poses stay as they are, whatever the deviations."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beforehand, by view."""

    K: Mapping[int, Tensor] = field(default_factory=dict)  # (3, 3) each
    """Intrinsics; the mean of both focals counts."""
    anchor_depth: Mapping[int, Tensor] = field(default_factory=dict)  # (h, w) each
    """Depths to start from instead of the canonical ones; NaN where there is none."""
    fixed: Mapping[int, float] = field(default_factory=dict)
    """Above 0: the pose stays; 1 and above: intrinsics and depths stay too."""
    cam_from_world: Mapping[int, Tensor] = field(default_factory=dict)  # (4, 4) each
    """Poses to start from. The sparse aligner's descents take those of all views or none."""
    poses_from_backend: bool = False
    """The poses are the backend's: nobody has stated them, and nobody can be asked to check them."""
    depth: Mapping[int, Tensor] = field(default_factory=dict)  # (H, W) each, the view's grid
    """Depths of views that are fixed wholly; 0 where there is none."""

    def fixed_levels(self, num_views: int) -> Tensor:
        """Return how far (V,) every view is fixed."""
        return torch.tensor([float(self.fixed.get(view, 0)) for view in range(num_views)])


def principal_point_of(view: View, predictions: Predictions, index: int) -> Tensor:
    """Return where the optical axis meets the view's grid (2,): as the user or the backend states, else the
    networks' (W/2, H/2).
    """
    K = grid_K(view)
    if K is None and predictions.cameras is not None:
        K = predictions.cameras.K[index]
    if K is not None:
        return torch.from_numpy(K[:2, 2].copy())
    w, h = view.pixel_map.target_size
    return torch.tensor([w / 2, h / 2], dtype=torch.float64)


def with_shared_K(views: Sequence[View]) -> tuple[View, ...]:
    """Return the views, the K that is stated for some of a camera stated for its others of that size; not
    where what is stated differs.
    """
    stated: dict[tuple[str, tuple[int, int]], list[np.ndarray]] = {}
    for view in views:
        if view.K is not None:
            stated.setdefault((view.camera, view.photo_size), []).append(view.K)
    shared = {
        key: found[0] for key, found in stated.items() if all(np.array_equal(K, found[0]) for K in found)
    }
    return tuple(
        view if view.K is not None else replace(view, K=shared.get((view.camera, view.photo_size)))
        for view in views
    )


def states_poses(predictions: Predictions) -> bool:
    """Tell whether the user states the pose of any view."""
    return any(view.cam_from_world is not None for view in predictions.views)


def known_cameras(predictions: Predictions) -> Known:
    """Return what the user states of cameras, and what the backend adds: poses, where the user states none,
    and the K of views without a stated one, where it has fitted them to matches.

    Poses of both would be in two worlds. A fitted K is better than what pointmaps suggest, whose focal is
    clamped: long lenses lie beyond. A network's K is only where that of its pointmaps comes from.
    """
    views, cameras = predictions.views, predictions.cameras
    poses = [view.cam_from_world for view in views]
    K = [grid_K(view) for view in views]
    from_backend = cameras is not None and not states_poses(predictions)
    if cameras is not None and from_backend:
        poses = list(cameras.cam_from_world)
    if cameras is not None and predictions.camera_source == "bundle_adjustment":
        K = [fitted if stated is None else stated for stated, fitted in zip(K, cameras.K)]
    return Known(
        K={k: torch.from_numpy(each) for k, each in enumerate(K) if each is not None},
        cam_from_world={k: torch.from_numpy(pose) for k, pose in enumerate(poses) if pose is not None},
        poses_from_backend=from_backend,
    )
