"""A scene of one world plane, whose depth is known at every position of every picture."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from align.scene import Report, Scene, SceneView
from masks.lens import Lens, ideal_frame
from masks.pixelmap import PixelMap, intrinsics_to_target
from pairs.views.cameras import Cameras

NORMAL = np.array([0.36, -0.48, -0.8])
"""Of the plane NORMAL . x = OFFSET, on the side of the cameras."""
OFFSET = -3.2
PHOTO = (150, 113)
K_PHOTO = np.array([[140.0, 0, 71.3], [0, 137, 58.2], [0, 0, 1]])


def plane_scene(lens: Lens | None = None, orientation: int = 1) -> Scene:
    """Return a scene of two views with grids of a crop of their photos, every pixel sure."""
    frame = None if lens is None else ideal_frame(lens, K_PHOTO, PHOTO)
    stored = PHOTO if orientation < 5 else PHOTO[::-1]
    pixel_map = PixelMap(stored, orientation, (9, 4, 135, 108), (45, 36), (1, 2, 0, 0), undistortion=frame)
    K_ideal = K_PHOTO if frame is None else frame.K_ideal
    K = intrinsics_to_target(pixel_map.ideal(), K_ideal)
    views, poses = [], []
    rng = np.random.default_rng(5)
    w, h = pixel_map.target_size
    for k, turn in enumerate(([0.1, -0.2, 0.3], [-0.25, 0.1, -0.05])):
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
        pose[:3, 3] = [0.2 * k, -0.1, 0.3]
        y, x = np.mgrid[0:h, 0:w]
        depth = plane_depth(pose, K, np.stack([x, y], axis=-1)).astype(np.float32)
        image = rng.integers(0, 256, (h, w, 3)).astype(np.uint8)
        ones = np.ones((h, w))
        views.append(
            SceneView(f"{k}.jpg", "one", pixel_map, depth, 5 * ones.astype(np.float32), image, ones > 0)
        )
        poses.append(pose)
    cameras = Cameras(np.tile(K, (2, 1, 1)), np.stack(poses))
    return Scene(tuple(views), cameras, ("0.jpg", "lost.jpg", "1.jpg"), ((0, 1),), Report())


def plane_depth(cam_from_world: np.ndarray, K: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Return z (...) of the plane at pixels (..., 2) of a pinhole."""
    homogeneous = np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], axis=-1)
    rays = homogeneous @ np.linalg.inv(K).T
    normal = cam_from_world[:3, :3] @ NORMAL
    offset = OFFSET + normal @ cam_from_world[:3, 3]
    return offset / (rays @ normal)
