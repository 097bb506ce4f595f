"""How far a scene's cameras are from the truth.

RRA and RTA are the shares of pairs whose relative rotation, and direction of relative translation, are off by
less than so many degrees; AUC@30 is the mean share over thresholds of 1 to 30 degrees of both at once. A pair
with a view that was not placed counts as failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import roma
import torch

from align.export.cameras_json import PhotoCamera
from align.rotations import angle_between, nearest_rotation
from align.scene import Scene
from masks.errors import FormatError
from pairs.views.cameras import camera_centres

THRESHOLDS_DEG = (5, 10, 15)
_SAME_PLACE = 1e-3
"""A true baseline below this share of the cameras' spread has no direction."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures over all pairs of views; shares are percentages 0 to 100."""

    views: int
    registered: int
    rra: dict[str, float]
    rta: dict[str, float]
    auc: dict[str, float]
    rotation_error_deg: dict[str, float | None]
    """Median and largest error of a view after the best common rotation; none when fewer than two views were
    placed."""
    ate: float | None
    """RMS distance of the camera centres after the best similarity, as a fraction of their mean distance from
    their mean."""
    focal_error: float | None
    """Median of |f / f_true - 1|."""


def evaluate(scene: Scene, truth: Sequence[PhotoCamera]) -> Evaluation:
    """Compare a scene's cameras with true ones, matched by file name.

    True cameras of photos that were not given to the reconstruction do not count; photos that were given and
    not placed do, as failures. Raises `FormatError` when no photo of the scene has a true camera.
    """
    by_name, names = _known(scene, truth)
    position = {view.name: k for k, view in enumerate(scene.views)}
    placed = [n for n, name in enumerate(names) if name in position]
    true_pose = np.stack([by_name[name].cam_from_world for name in names])
    found = scene.at_original()
    chosen = [position[names[n]] for n in placed]
    pose = np.full_like(true_pose, np.nan)
    pose[placed] = found.cam_from_world[chosen]
    rotation, direction = pair_errors(pose, true_pose)
    both = np.maximum(rotation, direction)[~np.isnan(direction)]
    aligned = _aligned_errors(pose[placed], true_pose[placed]) if len(placed) >= 2 else None
    focals = [
        _focal_ratio(found.K[k], scene.views[k].pixel_map.upright_size, by_name[names[n]])
        for n, k in zip(placed, chosen)
    ]
    return Evaluation(
        views=len(names),
        registered=len(placed),
        rra={str(t): _share(rotation < t) for t in THRESHOLDS_DEG},
        rta={str(t): _share(direction[~np.isnan(direction)] < t) for t in THRESHOLDS_DEG},
        auc={"30": float(np.mean([_share(both < t) for t in range(1, 31)]))},
        rotation_error_deg={"median": aligned and aligned[0], "max": aligned and aligned[1]},
        ate=aligned and aligned[2],
        focal_error=float(np.median(np.abs(np.array(focals) - 1))) if focals else None,
    )


def true_from_scene(scene: Scene, truth: Sequence[PhotoCamera]) -> np.ndarray:
    """Return the similarity (4, 4) from a scene's world to that of its true cameras, by the centres of the
    placed ones. Raises `FormatError` where fewer than three have one.
    """
    by_name, _ = _known(scene, truth)
    placed = [k for k, view in enumerate(scene.views) if view.name in by_name]
    if len(placed) < 3:
        raise FormatError(
            f"{len(placed)} placed photos have a true camera: three are needed to compare shapes. Check the "
            "files."
        )
    true_poses = np.stack([by_name[scene.views[k].name].cam_from_world for k in placed])
    return best_similarity(scene.cameras.centres[placed], camera_centres(true_poses))


def _known(scene: Scene, truth: Sequence[PhotoCamera]) -> tuple[dict[str, PhotoCamera], list[str]]:
    """Return the true cameras by the names of their photos, and which photos of the scene have one. Raises
    `FormatError` where fewer than two do.
    """
    by_name = {PurePosixPath(camera.file.replace("\\", "/")).name: camera for camera in truth}
    names = [name for name in scene.inputs if name in by_name]
    if len(names) < 2:
        known = ", ".join(list(by_name)[:3])
        raise FormatError(
            f"the true cameras ({known}, ...) name fewer than two photos of this scene "
            f"({', '.join(scene.inputs[:3])}, ...). Check the files."
        )
    return by_name, names


def failure(num_views: int) -> Evaluation:
    """Return the figures of a reconstruction that placed no view."""
    none = {str(t): 0.0 for t in THRESHOLDS_DEG}
    return Evaluation(num_views, 0, none, dict(none), {"30": 0.0}, {"median": None, "max": None}, None, None)


def pair_errors(cam_from_world: np.ndarray, true_cam_from_world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for all pairs a < b, the errors of relative rotation and of the direction of relative
    translation in degrees (E,).

    NaN poses (views that were not placed) give infinite errors; pairs that truly share one place give a NaN
    direction.
    """
    a, b = np.triu_indices(len(true_cam_from_world), 1)
    R, t = _relative(cam_from_world, a, b)
    R_true, t_true = _relative(true_cam_from_world, a, b)
    rotation = _angles_deg(R, R_true)
    cosine = (t * t_true).sum(-1) / np.maximum(
        np.linalg.norm(t, axis=-1) * np.linalg.norm(t_true, axis=-1), 1e-300
    )
    direction = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
    missing = np.isnan(cam_from_world[:, 0, 0])
    failed = missing[a] | missing[b]
    centres = camera_centres(true_cam_from_world)
    spread = np.linalg.norm(centres - centres.mean(0), axis=-1).mean()
    rotation[failed] = direction[failed] = np.inf
    direction[np.linalg.norm(centres[a] - centres[b], axis=-1) < _SAME_PLACE * spread] = np.nan
    return rotation, direction


def rotation_errors_deg(cam_from_world: np.ndarray, true_cam_from_world: np.ndarray) -> np.ndarray:
    """Return each view's rotation error (V,) in degrees after the best common rotation of the world (chordal
    mean).
    """
    R, R_true = cam_from_world[:, :3, :3], true_cam_from_world[:, :3, :3]
    mean = np.einsum("vji,vjk->ik", R, R_true)  # sum of world_from_true over the views
    common = nearest_rotation(mean)
    return _angles_deg(R @ common, R_true)


def _aligned_errors(
    cam_from_world: np.ndarray, true_cam_from_world: np.ndarray
) -> tuple[float, float, float]:
    errors = rotation_errors_deg(cam_from_world, true_cam_from_world)
    centres, true_centres = camera_centres(cam_from_world), camera_centres(true_cam_from_world)
    spread = np.linalg.norm(true_centres - true_centres.mean(0), axis=-1).mean()
    fitted = best_similarity(centres, true_centres)
    rest = centres @ fitted[:3, :3].T + fitted[:3, 3] - true_centres
    ate = float(np.sqrt(np.square(rest).sum(-1).mean()) / spread)
    return float(np.median(errors)), float(errors.max()), ate


def best_similarity(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Return the similarity (4, 4) that brings points (N, 3) nearest to others, in least squares."""
    pair = (torch.from_numpy(np.ascontiguousarray(each, np.float64)) for each in (points, onto))
    R, t, scale = roma.rigid_points_registration(*pair, compute_scaling=True)
    similarity = np.eye(4)
    similarity[:3, :3], similarity[:3, 3] = (scale * R).numpy(), t.numpy()
    return similarity


def _relative(cam_from_world: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    R, t = cam_from_world[:, :3, :3], cam_from_world[:, :3, 3]
    R_b_from_a = R[b] @ R[a].transpose(0, 2, 1)
    return R_b_from_a, t[b] - np.einsum("eij,ej->ei", R_b_from_a, t[a])


def _angles_deg(R: np.ndarray, R_true: np.ndarray) -> np.ndarray:
    return np.rad2deg(angle_between(R, R_true))


def _focal_ratio(K: np.ndarray, size: tuple[int, int], truth: PhotoCamera) -> float:
    """Return found over true focal, each the mean of both directions, on the photo's width."""
    return (K[0, 0] + K[1, 1]) / (truth.K[0, 0] + truth.K[1, 1]) * truth.width / size[0]


def _share(passed: np.ndarray) -> float:
    return float(100 * passed.mean()) if len(passed) else 0.0


def as_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the figures as they are written to JSON."""
    return {name: getattr(evaluation, name) for name in Evaluation.__dataclass_fields__}
