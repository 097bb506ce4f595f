"""The true geometry of scenes of many frames, in the frame and the scale that VGGT is trained in
(docs/training.md, "The scene of VGGT").
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

_COUNT_EPSILON = 1e-3  # under the mean distance, as published
_SCALE_RANGE = (1e-6, 1e6)


@dataclass(frozen=True, slots=True)
class SceneTruth:
    """What is true of B scenes of S frames. Whatever points and depths are where not valid, they are not
    read.
    """

    cam_from_world: Tensor  # (B, S, 3, 4), rigid
    K: Tensor  # (B, S, 3, 3), pixels of the images
    world_points: Tensor  # (B, S, H, W, 3)
    depth: Tensor  # (B, S, H, W), z in the own camera
    valid: Tensor  # (B, S, H, W) bool

    def __post_init__(self) -> None:
        scenes = tuple(self.valid.shape[:2])
        fits = (
            self.world_points.shape == (*self.valid.shape, 3)
            and self.depth.shape == self.valid.shape
            and self.valid.ndim == 4
        )
        if not fits or self.cam_from_world.shape != (*scenes, 3, 4) or self.K.shape != (*scenes, 3, 3):
            shapes = ", ".join(
                str(tuple(getattr(self, name).shape))
                for name in ("cam_from_world", "K", "world_points", "depth", "valid")
            )
            raise ValueError(
                "poses (B, S, 3, 4), K (B, S, 3, 3), points (B, S, H, W, 3), depth and valid (B, S, H, W) "
                f"do not fit: {shapes}"
            )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images."""
        return self.valid.shape[-2], self.valid.shape[-1]


def rebased(truth: SceneTruth) -> SceneTruth:
    """Return the truth with the first camera of each scene as its world."""
    R, t = truth.cam_from_world[..., :3], truth.cam_from_world[..., 3]
    R_0, t_0 = R[:, 0], t[:, 0]
    R_new = R @ R_0[:, None].mT
    t_new = t - torch.einsum("bsij,bj->bsi", R_new, t_0)
    # World points go through the first camera once; poses lose it on the right: E_i E_0^-1.
    points = torch.einsum("bij,bshwj->bshwi", R_0, truth.world_points) + t_0[:, None, None, None]
    cam_from_world = torch.cat([R_new, t_new[..., None]], dim=-1)
    return replace(
        truth,
        cam_from_world=_finite(cam_from_world),
        world_points=_finite(points),
        depth=_finite(truth.depth),
    )


def mean_distance(truth: SceneTruth) -> Tensor:
    """Return the mean distance (B,) of the valid points of all frames from the origin of the world."""
    distance = torch.where(truth.valid, truth.world_points.norm(dim=-1), 0)
    count = truth.valid.sum((1, 2, 3)) + _COUNT_EPSILON
    return (distance.sum((1, 2, 3)) / count).clamp(*_SCALE_RANGE)


def normalised_scene(truth: SceneTruth) -> SceneTruth:
    """Return the truth with the first camera as its world and the mean distance of its points as its unit.
    Predictions are never normalised.
    """
    truth = rebased(truth)
    scale = mean_distance(truth)
    cam_from_world = truth.cam_from_world.clone()
    cam_from_world[..., 3] /= scale[:, None, None]
    points = truth.world_points / scale[:, None, None, None, None]
    return replace(
        truth,
        cam_from_world=cam_from_world,
        world_points=points,
        depth=truth.depth / scale[:, None, None, None],
    )


def _finite(values: Tensor) -> Tensor:
    return torch.where(values.isfinite(), values, 0)
