"""Small sets of photos in which a disc turns before a backdrop that stands still."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SIZE = (120, 160)  # rows, columns


@dataclass(frozen=True)
class StillSet:
    """Photos and the truth about them."""

    photos: tuple[np.ndarray, ...]  # (H, W, 3) uint8
    masks: tuple[np.ndarray, ...]  # (H, W) bool
    backdrop: np.ndarray  # (H, W, 3) float, without noise


def textured_backdrop(seed: int = 0) -> np.ndarray:
    """Return a loud backdrop (H, W, 3) float: blocks of all colours, slightly blurred."""
    rng = np.random.default_rng(seed)
    blocks = rng.uniform(40, 220, (SIZE[0] // 8, SIZE[1] // 8, 3))
    return cv2.GaussianBlur(cv2.resize(blocks, SIZE[::-1], interpolation=cv2.INTER_NEAREST), (0, 0), 1.0)


def plain_backdrop(grey: float = 200) -> np.ndarray:
    """Return a backdrop (H, W, 3) float that grows darker towards the bottom."""
    rows = np.linspace(1.0, 0.85, SIZE[0])[:, None, None]
    return np.broadcast_to(grey * rows, (*SIZE, 3)).copy()


def disc_before(
    backdrop: np.ndarray,
    num_views: int = 12,
    radius: float = 34,
    gains: np.ndarray | None = None,
    noise: float = 1.5,
) -> StillSet:
    """Return photos of a disc of warm colours that turns, and goes round, in the middle of the picture."""
    rng = np.random.default_rng(1)
    coat = np.array([235, 130, 50]) * rng.uniform(0.35, 1.08, (24, 24, 1)) + rng.uniform(-25, 25, (24, 24, 3))
    photos, masks = [], []
    y, x = np.indices(SIZE)
    for k in range(num_views):
        angle = 2 * np.pi * k / num_views
        cx, cy = 80 + 20 * np.cos(angle), 60 + 20 * np.sin(angle)
        distance = np.hypot(x - cx, y - cy)
        cover = np.clip(radius + 0.5 - distance, 0, 1)[..., None]
        c, s = np.cos(3 * angle), np.sin(3 * angle)
        u, v = c * (x - cx) + s * (y - cy), c * (y - cy) - s * (x - cx)
        seen = coat[(v // 5 + 12).astype(int) % 24, (u // 5 + 12).astype(int) % 24]
        photo = cover * seen + (1 - cover) * backdrop
        photo = photo * (1.0 if gains is None else gains[k]) + noise * rng.standard_normal(photo.shape)
        photos.append(np.clip(np.rint(photo), 0, 255).astype(np.uint8))
        masks.append(cover[..., 0] >= 0.5)
    return StillSet(tuple(photos), tuple(masks), backdrop)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Return intersection over union of two masks (H, W) bool."""
    return float((a & b).sum() / max(1, (a | b).sum()))
