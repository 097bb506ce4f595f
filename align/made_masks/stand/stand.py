"""What the object stands on while both turn, as photos see it: a piece of a plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from align.made_masks.placed_pictures import PlacedPictures
from masks.pixelmap import to_source, to_target

_MOST_CELLS = 640  # a side
_RIM_PERCENT = 98.0
_FRONT = np.cos(np.deg2rad(30.0))
"""Pixels that meet the plane within this of the camera's direction, seen from the middle, show the stand, its
side, or the object's foot: all that is higher meets it farther away."""


@dataclass(frozen=True, slots=True)
class Stand:
    """A disc of a plane, and the photos of it."""

    placed: PlacedPictures
    frame: np.ndarray  # (3, 3) rotation: two directions along the plane, and its normal, towards the cameras
    middle: np.ndarray  # (3,), world, on the plane
    radius: float
    """World units."""
    distance: float
    """Median distance of the cameras from what they look at, world units."""

    @property
    def from_middle(self) -> np.ndarray:
        """(P, 3) the cameras' centres in the stand's frame."""
        return (self.placed.cameras.centres - self.middle) @ self.frame.T

    @property
    def steepness(self) -> float:
        """Sine of the angle at which the median camera sees the middle."""
        return float(np.median(self.from_middle[:, 2] / np.linalg.norm(self.from_middle, axis=1)))

    def met(self, position: int) -> np.ndarray:
        """Return where the rays of a placed photo's working picture meet the plane: (H, W, 2) along it from
        its middle, world units; NaN where they do not.
        """
        width, height = self.placed.working[position].target_size
        y, x = np.mgrid[:height, :width]
        at = to_source(self.placed.working[position], np.stack([x, y], axis=-1))
        xy = to_target(self.placed.pinholes[position], at)
        K, R = self.placed.cameras.K[position], self.placed.cameras.cam_from_world[position, :3, :3]
        rays = np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1) @ (
            np.linalg.inv(K).T @ R @ self.frame.T
        )
        centre = self.from_middle[position]
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = -centre[2] / rays[..., 2]
        reach = np.where(reach > 0, reach, np.nan)
        return (centre[:2] + reach[..., None] * rays[..., :2]).astype(np.float32)

    def straightened(
        self, pictures: Sequence[np.ndarray], radius: float, cell_px: float
    ) -> tuple[list[np.ndarray], float]:
        """Return the placed ones of all working pictures (H, W) or (H, W, 3) straightened onto the plane, and
        the side of a cell in world units: cells are as large as so many pixels in the middle.
        """
        K, poses = self.placed.cameras.K, self.placed.cameras.cam_from_world
        depth = np.linalg.norm(self.from_middle, axis=1)
        cell = max(cell_px * float(np.median(depth / K[:, 0, 0])), 2 * radius / _MOST_CELLS)
        count = int(np.ceil(2 * radius / cell))
        steps = (np.arange(count) - (count - 1) / 2) * cell
        along = np.stack(np.meshgrid(steps, steps), axis=-1)
        places = self.middle + along @ self.frame[:2]
        found = []
        for position, photo in enumerate(self.placed.photos):
            pose = poses[position]
            xyw = (places @ pose[:3, :3].T + pose[:3, 3]) @ K[position].T
            xy = xyw[..., :2] / np.maximum(xyw[..., 2:], 1e-9)
            at = to_target(self.placed.working[position], to_source(self.placed.pinholes[position], xy))
            found.append(read_at(pictures[photo], at))
        return found, cell

    def front_radius(self, position: int, mask: np.ndarray) -> float:
        """Return how far from the middle, towards the camera, a mask (H, W) bool reaches on the plane; 0 for
        none.
        """
        met = self.met(position)[mask]
        camera = self.from_middle[position][:2]
        radius = np.linalg.norm(met, axis=1)
        with np.errstate(invalid="ignore"):
            ahead = met @ camera > _FRONT * np.linalg.norm(camera) * radius
        return float(np.percentile(radius[ahead], _RIM_PERCENT)) if ahead.any() else 0.0


def read_at(picture: np.ndarray, at: np.ndarray, how: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Return a picture (H, W) or (H, W, C) at columns and rows (..., 2), by one of OpenCV's interpolations;
    its border goes on beyond it.
    """
    # Remap takes 16 bits of pixels.
    at = np.where(np.isfinite(at), at, -10.0).clip(-1e4, 1e4).astype(np.float32)
    return cv2.remap(picture, at[..., 0], at[..., 1], how, borderMode=cv2.BORDER_REPLICATE)
