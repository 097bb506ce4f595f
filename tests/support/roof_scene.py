"""A finished scene of the textured roof: its true cameras and depths, and photos of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from textured_roof import SIZE, K, render, turned

from align.scene import Report, Scene, SceneView
from masks.pixelmap import identity
from pairs.views.cameras import Cameras

CAMERA = "320x240"
"""What photos of this size without EXIF are called."""
SCENE_ANGLES = (-25.0, -15.0, -5.0, 5.0, 15.0, 25.0)


def roof_depth(degrees: float) -> np.ndarray:
    """Return the depth (H, W) float32 of the roof, 0 beside it."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    pixels = np.stack([x, y, np.ones_like(x)], -1).astype(float)
    pose, depth = turned(degrees), np.zeros(SIZE[::-1])
    for side in (-1, 1):
        # Texture pixel (u, v) lies at origin + u * along + v * down; pixel p at depth z sees it where
        # H (u, v, 1) = z p.
        plane = np.stack(
            [np.array([side * 0.9, 0, 0.5]) / 256, np.array([0, 1.4, 0]) / 256, [0, -0.7, 0]], axis=1
        )
        H = K @ (pose[:3, :3] @ plane + np.outer(pose[:3, 3], [0, 0, 1]))
        u, v, inverse = np.moveaxis(pixels @ np.linalg.inv(H).T, -1, 0)
        here = (inverse > 0) & (np.abs(u / inverse - 127.5) < 127) & (np.abs(v / inverse - 127.5) < 127)
        depth[here] = 1 / inverse[here]
    return depth.astype(np.float32)


def before(backdrop: np.ndarray | None, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a photo (H, W, 3) before a picture (black: none), and the roof's mask."""
    photo, mask = _rendered(degrees)
    return (photo if backdrop is None else np.where(mask[..., None], photo, backdrop)), mask


_rendered = cache(render)


def noise(seed: int, size_px: int = 8) -> np.ndarray:
    """Return a picture (H, W, 3) of random blocks."""
    shape = (SIZE[1] // size_px, SIZE[0] // size_px, 3)
    blocks = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return np.kron(blocks, np.ones((size_px, size_px, 1), np.uint8))


def roof_scene(
    angles: Sequence[float] = SCENE_ANGLES, backdrop: np.ndarray | None = None, masked: bool = True
) -> Scene:
    """Return the scene of a perfect reconstruction; without masks the backdrop has a depth, too."""
    views = []
    for k, angle in enumerate(angles):
        image, mask = before(backdrop, angle)
        depth = roof_depth(angle)
        if not masked:
            depth[depth == 0] = 4
        seen = mask if masked else np.ones_like(mask)
        depth = np.where(seen, depth, 0).astype(np.float32)
        conf = np.where(depth > 0, 3, 0).astype(np.float32)
        views.append(SceneView(f"scene{k}.png", CAMERA, identity(SIZE), depth, conf, image, seen))
    cameras = Cameras(np.tile(K, (len(angles), 1, 1)), np.stack([turned(angle) for angle in angles]))
    return Scene(tuple(views), cameras, tuple(view.name for view in views), (), Report())


def write_photo(path: Path, degrees: float, backdrop: np.ndarray | None = None, masked: bool = False) -> Path:
    """Write a photo and, beside it, its mask; return its path."""
    photo, mask = before(backdrop, degrees)
    Image.fromarray(photo).save(path)
    if masked:
        Image.fromarray(mask).save(path.with_name(f"{path.name}.mask.png"))
    return path
