"""What is known of cameras before the alignment: stated by the user, or handed on by the backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from align.measurements.gathered import Measurements
from pairs.prediction.predictions import Predictions
from pairs.views.view import View, grid_K


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
    """Poses to start from. The descent takes those of all views or none."""

    def fixed_levels(self, num_views: int) -> Tensor:
        """Return how far (V,) every view is fixed."""
        return torch.tensor([float(self.fixed.get(view, 0)) for view in range(num_views)])


def principal_point_of(view: View, predictions: Predictions, index: int) -> Tensor:
    """Return where the optical axis meets the view's grid (2,): as the backend or the user states, else the
    networks' (W/2, H/2).
    """
    K = predictions.cameras.K[index] if predictions.cameras is not None else grid_K(view)
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


def stated_cameras(predictions: Predictions) -> Known:
    """Return what the user states of cameras, and the backend's poses where they are the start."""
    views = predictions.views
    poses = (
        [view.cam_from_world for view in views]
        if predictions.cameras is None
        else predictions.cameras.cam_from_world
    )
    return Known(
        K={k: torch.from_numpy(K) for k, view in enumerate(views) if (K := grid_K(view)) is not None},
        cam_from_world={k: torch.from_numpy(pose) for k, pose in enumerate(poses) if pose is not None},
    )


def backend_cameras(measurements: Measurements) -> Known:
    """Return what the descent starts from: the backend's cameras, or the intrinsics that the user states."""
    predictions = measurements.predictions
    if predictions.cameras is not None:
        K = {k: torch.from_numpy(K) for k, K in enumerate(predictions.cameras.K)}
        return Known(
            K=K, cam_from_world=dict(enumerate(torch.from_numpy(predictions.cameras.cam_from_world)))
        )
    return Known(
        K={
            k: torch.from_numpy(K)
            for k, view in enumerate(predictions.views)
            if (K := grid_K(view)) is not None
        }
    )
