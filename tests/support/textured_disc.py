"""A slanted, textured disc in front of a loud backdrop, seen from an arc: photos with exact depth, masks and
cameras.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from masks.mask import Mask
from masks.pixelmap import identity
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.backends.classical.stereo.plane_sweep import SweepImage
from pairs.views.cameras import Cameras
from pairs.views.digest import digest
from pairs.views.view import View

SIZE = (128, 96)
_RADIUS = 0.9
# Columns: two directions in the disc's plane and its normal, in the world; the cameras look along +z from
# four units away.
AXES = np.linalg.qr(np.array([[1.0, 0.1, 0.5], [0.0, 1.0, 0.3], [0.4, -0.2, 1.0]]))[0]


@dataclass(frozen=True, slots=True)
class DiscScene:
    """What was rendered."""

    cameras: Cameras
    grey: tuple[np.ndarray, ...]  # per view (H, W) float32
    depth: tuple[np.ndarray, ...]  # per view (H, W), of the disc's whole plane
    mask: tuple[np.ndarray, ...]  # per view (H, W) bool


def disc_scene(angles_deg: tuple[float, ...] = (-20, -10, 0, 10, 20), scale: int = 1) -> DiscScene:
    """Render one view an angle, `scale` times as large, with a texture as fine as the pixels ask for."""
    w, h = (scale * side for side in SIZE)
    K = np.array([[150.0 * scale, 0, (w - 1) / 2], [0, 150.0 * scale, (h - 1) / 2], [0, 0, 1]])
    poses = np.stack([_pose(np.radians(angle)) for angle in angles_deg])
    parts = [_render(K, pose, (w, h), max(1, scale / 2)) for pose in poses]
    return DiscScene(
        Cameras(np.tile(K, (len(poses), 1, 1)), poses), *(tuple(p[i] for p in parts) for i in range(3))
    )


def pictures(scene: DiscScene) -> tuple[SweepImage, ...]:
    """Return the views as the sweep sees them; the texture goes on beyond the disc, as a perfect fill."""
    return tuple(SweepImage(grey, mask) for grey, mask in zip(scene.grey, scene.mask))


def views(scene: DiscScene, folder: Path, backdrop_seed: int = 0, masked: bool = True) -> tuple[View, ...]:
    """Write the scene as photographs, with random colours behind the disc, and return their views."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number, (grey, mask) in enumerate(zip(scene.grey, scene.mask)):
        noise = np.random.default_rng((backdrop_seed, number)).integers(0, 256, (*mask.shape, 3), np.uint8)
        image = np.where(
            mask[..., None] | (not masked), np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, 2), noise
        )
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), image)
        key = digest(image, mask)
        made.append(
            View(path.name, path, image, identity(SIZE), Mask(mask, "drawn") if masked else None, key)
        )
    return tuple(made)


def solve(scene: DiscScene, num_points: int = 200) -> SceneSolve:
    """Return the solve that sees the same points of the disc in every view."""
    uv = np.random.default_rng(1).uniform(-0.6, 0.6, (num_points, 2)) * _RADIUS
    points = uv @ AXES[:, :2].T
    num_views = len(scene.depth)
    cam = (
        np.einsum("vij,nj->vni", scene.cameras.cam_from_world[:, :3, :3], points)
        + scene.cameras.cam_from_world[:, None, :3, 3]
    )
    xy = np.einsum("vij,vnj->vni", scene.cameras.K, cam)
    xy = xy[..., :2] / xy[..., 2:]
    return SceneSolve(
        placed=tuple(range(num_views)),
        cameras=scene.cameras,
        points=points,
        observed_point=np.tile(np.arange(num_points), num_views),
        observed_by=np.repeat(np.arange(num_views), num_points),
        observed_xy=xy.reshape(-1, 2),
        notices=(),
    )


def _pose(angle: float) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    pose[2, 3] = 4.0
    return pose


def _render(
    K: np.ndarray, pose: np.ndarray, size: tuple[int, int], fineness: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return grey (H, W) float32, depth (H, W) and mask (H, W) of one view."""
    w, h = size
    x, y = np.meshgrid(np.arange(w), np.arange(h))
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K).T @ pose[:3, :3]  # (H, W, 3), world
    centre = -pose[:3, :3].T @ pose[:3, 3]
    depth = -(centre @ AXES[:, 2]) / (rays @ AXES[:, 2])
    u, v = np.moveaxis((centre + depth[..., None] * rays) @ AXES[:, :2], -1, 0)
    mask = np.hypot(u, v) < _RADIUS
    u, v = fineness * u, fineness * v
    grey = (
        128
        + 30 * np.sin(17 * u + 3 * v)
        + 30 * np.sin(5 * u - 19 * v + 1)
        + 25 * np.sin(29 * u + 23 * v)
        + 20 * np.sin(31 * v - 13 * u)
    )
    return grey.astype(np.float32), depth, mask
