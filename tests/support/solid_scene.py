"""Scenes of solids that are known exactly: depth and masks by sphere tracing."""

from __future__ import annotations

import numpy as np

from align.demo.march import first_hits
from align.demo.shape import Shape
from align.meshes.mesh import ObjectMesh
from align.scene import Report, Scene, SceneView
from masks.pixelmap import identity
from pairs.views.cameras import Cameras

SIZE = (88, 80)
K = np.array([[170.0, 0, 43.5], [0, 170, 39.5], [0, 0, 1]])
DISTANCE = 5.0


def sphere(radius: float = 0.8, middle: tuple[float, float, float] = (0, 0, 0)) -> Shape:
    reach = radius + np.abs(middle).max()
    return Shape(
        lambda p: np.linalg.norm(p - np.array(middle), axis=1) - radius,
        low=(-reach, -reach, -reach),
        high=(reach, reach, reach),
        safe_step=1.0,
    )


def torus(radius: float = 0.6, thickness: float = 0.22) -> Shape:
    def distance(p: np.ndarray) -> np.ndarray:
        return np.hypot(np.hypot(p[:, 0], p[:, 1]) - radius, p[:, 2]) - thickness

    reach = radius + thickness
    return Shape(distance, (-reach, -reach, -thickness), (reach, reach, thickness), 1.0)


def box(half: tuple[float, float, float] = (0.6, 0.5, 0.7)) -> Shape:
    def distance(p: np.ndarray) -> np.ndarray:
        beyond = np.abs(p) - np.array(half)
        return np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(1), 0)

    low = (-half[0], -half[1], -half[2])
    return Shape(distance, low, half, 1.0)


def rod(radius: float, height: float = 1.0) -> Shape:
    """Return a rod with round ends from the origin upward."""

    def distance(p: np.ndarray) -> np.ndarray:
        along = np.clip(p[:, 2], 0, height)
        return np.linalg.norm(p - along[:, None] * np.array([0, 0, 1]), axis=1) - radius

    return Shape(distance, (-radius, -radius, -radius), (radius, radius, height + radius), 1.0)


def both(a: Shape, b: Shape) -> Shape:
    low, high = np.minimum(a.low, b.low), np.maximum(a.high, b.high)
    return Shape(
        lambda p: np.minimum(a.distance(p), b.distance(p)),
        (float(low[0]), float(low[1]), float(low[2])),
        (float(high[0]), float(high[1]), float(high[2])),
        1.0,
    )


def everywhere(count: int = 16) -> np.ndarray:
    """Return places spread over the sphere."""
    k = np.arange(count)
    z = 1 - (2 * k + 1) / count
    a = np.pi * (1 + 5**0.5) * k
    across = np.sqrt(1 - z * z)
    return DISTANCE * np.stack([across * np.cos(a), across * np.sin(a), z], -1)


def ring(count: int = 14, elevation_deg: float = 25.0) -> np.ndarray:
    """Return places on a circle above the horizon."""
    a, up = 2 * np.pi * np.arange(count) / count, np.deg2rad(elevation_deg)
    flat = np.cos(up)
    return DISTANCE * np.stack([flat * np.cos(a), flat * np.sin(a), np.full(count, np.sin(up))], -1)


def looking(centres: np.ndarray) -> Cameras:
    """Return upright cameras at places (V, 3) that look at the origin."""
    poses = []
    for centre in centres:
        z = -centre / np.linalg.norm(centre)
        x = np.cross(z, [1e-3, 2e-3, 1.0])
        x /= np.linalg.norm(x)
        pose = np.eye(4)
        pose[:3, :3] = np.stack([x, np.cross(z, x), z])
        pose[:3, 3] = -pose[:3, :3] @ centre
        poses.append(pose)
    return Cameras(np.tile(K, (len(centres), 1, 1)), np.stack(poses))


def depth_of(shape: Shape, pose: np.ndarray, K: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the depth (H, W) float32 of a solid; 0 beside it."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    pixels = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3)
    rays = pixels @ np.linalg.inv(K).T @ pose[:3, :3]
    hits = first_hits(shape, -pose[:3, :3].T @ pose[:3, 3], rays)
    return np.where(np.isfinite(hits), hits, 0).astype(np.float32).reshape(size[1], size[0])


def solid_scene(shape: Shape, centres: np.ndarray) -> Scene:
    """Return the exact scene of a solid, seen by cameras at places (V, 3)."""
    cameras = looking(centres)
    views = []
    for k, pose in enumerate(cameras.cam_from_world):
        depth = depth_of(shape, pose, K, SIZE)
        seen = depth > 0
        views.append(
            SceneView(
                name=f"{k:02}.png",
                camera="one",
                pixel_map=identity(SIZE),
                depth=depth,
                conf=np.where(seen, 6, 0).astype(np.float32),
                image=np.full((*depth.shape, 3), 128, np.uint8),
                mask=seen,
            )
        )
    names = tuple(view.name for view in views)
    return Scene(tuple(views), cameras, names, (), Report())


def is_closed(mesh: ObjectMesh) -> bool:
    """Tell whether every edge is met once in either direction."""
    start, end = mesh.faces.ravel().astype(np.int64), np.roll(mesh.faces, -1, axis=1).ravel()
    there, back = (np.sort(a * len(mesh.vertices) + b) for a, b in ((start, end), (end, start)))
    return bool((np.diff(there) > 0).all() and (there == back).all())
