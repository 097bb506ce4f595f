"""A photo of an object before clutter, and its mask, to be spoilt in many ways."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from masks.given.look import PhotoShape
from masks.pixelmap import turn_back

SIZE = (160, 120)


def texture(seed: int, size: tuple[int, int] = SIZE, cell: int = 4) -> np.ndarray:
    """Return an opaque picture (H, W, 3) uint8 of patches."""
    w, h = size
    coarse = np.random.default_rng(seed).integers(0, 256, (h // cell, w // cell, 3), np.uint8)
    return cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)


def true_mask(k: int = 0, size: tuple[int, int] = SIZE, shift: int = 1) -> np.ndarray:
    """Return the mask (H, W) bool of an object that looks the same no two ways up: body, arm, hole. It moves
    by `shift` pixels from photo to photo.
    """
    w, h = size
    k *= shift
    mask = np.zeros((h, w), np.uint8)
    cv2.ellipse(mask, (w // 2 + k, h // 2 + 10), (34, 30), 0, 0, 360, 1, -1)
    cv2.line(mask, (w // 2 + k, h // 2), (w // 2 + k + 38, 28), 1, 9)
    cv2.circle(mask, (w // 2 + k - 10, h // 2 + 10), 9, 0, -1)
    return mask.astype(bool)


def photo(k: int = 0, size: tuple[int, int] = SIZE, shift: int = 1) -> np.ndarray:
    """Return a photo (H, W, 3) uint8 of that object, with parts that are nearly black and nearly white."""
    image, inside = texture(100 + k, size), texture(k, size, 5) // 4 + 150
    inside[60:75, 80:95] = np.random.default_rng(k).integers(2, 12, (15, 15, 3), np.uint8)
    inside[80:95, 60:75] = np.random.default_rng(k).integers(244, 253, (15, 15, 3), np.uint8)
    return np.where(true_mask(k, size, shift)[..., None], inside, image)


def painted(k: int, colour: tuple[int, int, int], size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return the photo before a plain colour."""
    return np.where(true_mask(k, size)[..., None], photo(k, size), np.array(colour, np.uint8))


def write(path: Path, array: np.ndarray, orientation: int = 1, stored: int = 1, **options: object) -> Path:
    """Write a picture, turned back from upright by `stored`, with an EXIF orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.ascontiguousarray(turn_back(array, stored))).save(path, exif=exif, **options)
    return path


def photo_shape(path: Path, orientation: int = 1, size: tuple[int, int] = SIZE) -> PhotoShape:
    """Return what is known of a photo file of a size, upright."""
    return PhotoShape(path.name, size, orientation, path)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return the intersection over the union of two masks."""
    return float((a & b).sum() / max(1, (a | b).sum()))
