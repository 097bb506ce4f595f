"""A painted sphere and photos of it whose every pixel is known."""

from __future__ import annotations

import functools

import numpy as np
import trimesh

from align.meshes.mesh import ObjectMesh
from align.meshes.texture.shots import Shot

SIZE = (96, 80)
K = np.array([[110.0, 0, 47.5], [0, 110.0, 39.5], [0, 0, 1]])
DISTANCE = 4.0


def sphere_mesh(subdivisions: int = 3) -> ObjectMesh:
    sphere = trimesh.creation.icosphere(subdivisions)
    return ObjectMesh(np.asarray(sphere.vertices, float), np.asarray(sphere.faces, np.int32))


def paint(points: np.ndarray) -> np.ndarray:
    """Return the colours (n, 3) of places (n, 3) on the sphere: another one on every side."""
    return 128 + 90 * np.sin(3 * points + [0.3, 1.1, 2.0])


def pose_at(azimuth_rad: float) -> np.ndarray:
    """Return cam_from_world (4, 4) on a level ring about z, looking at the middle."""
    towards = -np.array([np.cos(azimuth_rad), np.sin(azimuth_rad), 0])
    down = np.array([0, 0, -1.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([np.cross(down, towards), down, towards])
    pose[:3, 3] = pose[:3, :3] @ (DISTANCE * towards)
    return pose


def photo_of(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return picture (H, W, 3) and mask (H, W) of the true sphere, by the rays through its pixels."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    rays = np.stack([x, y, np.ones(x.shape)], -1) @ np.linalg.inv(K).T @ pose[:3, :3]
    eye = -pose[:3, :3].T @ pose[:3, 3]
    a, b, c = (rays**2).sum(-1), 2 * rays @ eye, eye @ eye - 1
    inside = b * b - 4 * a * c > 0
    t = (-b - np.sqrt(np.where(inside, b * b - 4 * a * c, 0))) / (2 * a)
    colours = paint(eye + t[..., None] * rays)
    return np.where(inside[..., None], np.rint(colours), 255).astype(np.uint8), inside


def shots(count: int = 6) -> tuple[Shot, ...]:
    poses = [pose_at(2 * np.pi * k / count) for k in range(count)]
    return tuple(
        Shot(f"{k}.png", K, pose, SIZE, functools.partial(photo_of, pose)) for k, pose in enumerate(poses)
    )
