"""A camera from the world points of its pixels (docs/dense_alignment.md, "Start")."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from align.pinhole import pixel_grid

_LEAST_PIXELS = 4
_NUM_FOCALS = 21
_FOCAL_RANGE = (0.5, 3.0)
"""Focals that are tried where none is known, in longest sides of the picture."""
_ERROR_PX = 5.0
"""As published, whatever the resolution: on small pictures nearly all pixels agree with nearly every focal,
and the least of those is taken."""


@dataclass(frozen=True, slots=True)
class PlacedCamera:
    """What perspective-n-point found."""

    focal: float
    world_from_cam: Tensor  # (4, 4) float32


def place_camera(
    points: Tensor,  # (H, W, 3), world
    mask: Tensor,  # (H, W) bool
    focal: float | None,
    principal_point: Tensor,  # (2,)
    tries: int,
) -> PlacedCamera | None:
    """Return the camera that most of the mask's points agree with, by `tries` random samples; nothing where
    none agrees or the mask has fewer than four pixels. Without a focal several are tried. Points outside the
    mask are never read.
    """
    height, width = mask.shape
    inside = mask.flatten()
    seen = points.reshape(-1, 3)[inside].float().numpy()
    if len(seen) < _LEAST_PIXELS:
        return None
    pixels = pixel_grid(height, width, torch.empty(0))[inside].numpy()
    longest = max(height, width)
    candidates = [focal] if focal is not None else np.geomspace(*_FOCAL_RANGE, _NUM_FOCALS) * longest
    best, most = None, 0
    for candidate in map(float, candidates):
        found = _sample(seen, pixels, candidate, principal_point, tries)
        if found is not None and found[0] > most:
            most, best = found[0], PlacedCamera(candidate, found[1])
    return best


def _sample(
    points: np.ndarray, pixels: np.ndarray, focal: float, principal_point: Tensor, tries: int
) -> tuple[int, Tensor] | None:
    """Return how many points agree with the best camera, and that camera."""
    x, y = principal_point.tolist()
    K = np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]], np.float32)
    try:
        done, turn, t, agreeing = cv2.solvePnPRansac(
            points,
            pixels,
            K,
            None,
            iterationsCount=tries,
            reprojectionError=_ERROR_PX,
            flags=cv2.SOLVEPNP_SQPNP,
        )
    except cv2.error:  # degenerate samples: all points in one place
        return None
    if not done or agreeing is None:
        return None
    cam_from_world = np.eye(4)
    cam_from_world[:3] = np.hstack([cv2.Rodrigues(turn)[0], t])
    return len(agreeing), torch.linalg.inv(torch.from_numpy(cam_from_world.astype(np.float32)))
