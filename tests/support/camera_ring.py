"""Cameras on a ring that look at the origin."""

from __future__ import annotations

import numpy as np

from pairs.views.cameras import Cameras


def ring(count: int, tilt: np.ndarray, K: np.ndarray) -> Cameras:
    """Return cameras three units from an axis, a little above, z up; the whole turned by `tilt` (3, 3)."""
    poses = []
    for angle in 2 * np.pi * np.arange(count) / count:
        centre = np.array([3 * np.cos(angle), 3 * np.sin(angle), 1.5])
        forward = -centre / np.linalg.norm(centre)
        right = np.cross(forward, [0, 0, 1]) / np.linalg.norm(np.cross(forward, [0, 0, 1]))
        pose = np.eye(4)
        pose[:3, :3] = np.stack([right, np.cross(forward, right), forward])
        pose[:3, 3] = -pose[:3, :3] @ centre
        pose[:3, :3] = pose[:3, :3] @ tilt.T
        poses.append(pose)
    return Cameras(np.tile(K, (count, 1, 1)), np.stack(poses).reshape(-1, 4, 4))
