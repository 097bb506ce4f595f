"""A cylinder on a turntable, as a perfect reconstruction of it."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from align.scene import Report, Scene, SceneView
from masks.pixelmap import identity
from pairs.views.cameras import Cameras

SIZE = (48, 36)
TILTED = np.eye(4)
TILTED[:3, :3] = Rotation.from_rotvec([0.7, -1.9, 0.4]).as_matrix()
TILTED[:3, 3] = [3, -2, 5]


def turntable(
    count: int = 12,
    elevation_deg: float = 20.0,
    roll_deg: float = 0.0,
    step_deg: float = 30.0,
    finer: int = 1,
) -> Scene:
    """Return a scene of a cylinder of radius 0.5 and height 1 on the table z = 0, seen from a ring, in
    photos of 48 x 36 pixels or so many times finer.
    """
    size = (finer * SIZE[0], finer * SIZE[1])
    K = np.array([[60.0 * finer, 0, (size[0] - 1) / 2], [0, 60 * finer, (size[1] - 1) / 2], [0, 0, 1]])
    height, level = 4 * np.sin(np.deg2rad(elevation_deg)), 4 * np.cos(np.deg2rad(elevation_deg))
    views, poses = [], []
    for k in range(count):
        a = np.deg2rad(k * step_deg)
        centre = np.array([level * np.cos(a), level * np.sin(a), 0.5 + height])
        z = (np.array([0, 0, 0.5]) - centre) / 4
        x = np.cross(z, [0, 0, 1.0]) / np.linalg.norm(np.cross(z, [0, 0, 1.0]))
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_euler("z", roll_deg, degrees=True).as_matrix() @ np.stack(
            [x, np.cross(z, x), z]
        )
        pose[:3, 3] = -pose[:3, :3] @ centre
        poses.append(pose)
        depth = cylinder_depth(K, pose, size)
        image = np.zeros((*depth.shape, 3), np.uint8)
        seen = depth > 0
        views.append(
            SceneView(
                f"{k}.png", "c", identity(size), depth, np.where(seen, 5, 0).astype(np.float32), image, seen
            )
        )
    cameras = Cameras(np.tile(K, (count, 1, 1)), np.stack(poses))
    return Scene(tuple(views), cameras, tuple(v.name for v in views), ((0, 1),), Report())


def cylinder_depth(K: np.ndarray, pose: np.ndarray, size: tuple[int, int] = SIZE) -> np.ndarray:
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K).T @ pose[:3, :3]
    centre = -pose[:3, :3].T @ pose[:3, 3]
    a, b = (rays[..., :2] ** 2).sum(-1), rays[..., :2] @ centre[:2]
    c = centre[:2] @ centre[:2] - 0.25
    root = b * b - a * c
    t = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, 0)
    z = centre[2] + t * rays[..., 2]
    return np.where((root > 0) & (z >= 0) & (z <= 1), t, 0).astype(np.float32)
