"""Photos of a textured roof, two planes that meet in a ridge: the scene solve places them all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from masks.mask import Mask
from masks.pixelmap import identity
from pairs.views.digest import digest
from pairs.views.view import View

SIZE = (320, 240)
K = np.array([[500.0, 0, 159.5], [0, 500, 119.5], [0, 0, 1]])
ANGLES = (-20.0, -10.0, 0.0, 10.0, 20.0)


def turned(degrees: float) -> np.ndarray:
    """(4, 4) cam_from_world of a camera 4 units before the origin, turned about the vertical axis and looking
    down a little.
    """
    a, tilt = np.deg2rad(degrees), np.deg2rad(20)
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    pose = np.eye(4)
    pose[:3, :3], pose[2, 3] = about_x @ about_y, 4
    return pose


def render(degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the photo (H, W, 3) and mask of two textured planes that meet in a ridge along the vertical
    axis.
    """
    rng = np.random.default_rng(8)
    photo, mask = np.zeros((*SIZE[::-1], 3), np.uint8), np.zeros(SIZE[::-1], bool)
    pose = turned(degrees)
    for side in (-1, 1):
        smooth = np.stack([gaussian_filter(rng.normal(size=(256, 256)), 2.5) for _ in range(3)], axis=2)
        texture = np.clip(127 + 55 * smooth / smooth.std(), 0, 255).astype(np.uint8)
        # Texture pixel (u, v) lies at origin + u * along + v * down.
        plane = np.stack(
            [np.array([side * 0.9, 0, 0.5]) / 256, np.array([0, 1.4, 0]) / 256, [0, -0.7, 0]], axis=1
        )
        image_from_texture = K @ (pose[:3, :3] @ plane + np.outer(pose[:3, 3], [0, 0, 1]))
        warped = cv2.warpPerspective(texture, image_from_texture, SIZE, flags=cv2.INTER_AREA)
        here = (
            cv2.warpPerspective(
                np.ones((256, 256), np.uint8), image_from_texture, SIZE, flags=cv2.INTER_NEAREST
            )
            > 0
        )
        photo[here], mask = warped[here], mask | here
    return photo, mask


def saved(folder: Path, photos: Sequence[np.ndarray], masks: Sequence[np.ndarray] | None) -> list[View]:
    """Write photos to files and return their views."""
    folder.mkdir()
    views = []
    for k, photo in enumerate(photos):
        path = folder / f"{k}.png"
        Image.fromarray(photo).save(path)
        mask = None if masks is None else Mask(masks[k], "drawn")
        key = digest(photo, "whole" if masks is None else masks[k])
        views.append(View(path.name, path, photo, identity((photo.shape[1], photo.shape[0])), mask, key))
    return views


def before_backdrop(seed: int, angles: Sequence[float] = ANGLES) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Photos with a noisy background that differs from photo to photo, and masks."""
    rng = np.random.default_rng(seed)
    rendered = [render(angle) for angle in angles]
    photos = [
        np.where(mask[..., None], photo, rng.integers(0, 256, photo.shape, dtype=np.uint8))
        for photo, mask in rendered
    ]
    return photos, [mask for _, mask in rendered]
