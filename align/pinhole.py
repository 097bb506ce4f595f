"""The pinhole camera on grids of pixels: rays, points and the pixels that see them."""

from __future__ import annotations

import torch
from torch import Tensor


def rays(xy: Tensor, focal: Tensor, principal_point: Tensor) -> Tensor:
    """Return the directions (..., 3) at depth 1 of pixels (..., 2), in the camera's frame.

    The focal, one or one along each axis, and the principal point broadcast against the pixels.
    """
    at_depth_1 = (xy - principal_point) / focal
    return torch.cat([at_depth_1, torch.ones_like(at_depth_1[..., :1])], -1)


def project(in_cam: Tensor, K: Tensor) -> Tensor:
    """Return the pixels (N, 2) of points (N, 3) in the frames of cameras K (N, 3, 3); mirrored ones of points
    behind a camera.
    """
    return (
        torch.stack([K[:, 0, 0] * in_cam[:, 0], K[:, 1, 1] * in_cam[:, 1]], 1) / in_cam[:, 2:] + K[:, :2, 2]
    )


def in_camera(points: Tensor, cam_from_world: Tensor) -> Tensor:
    """Return world points (..., 3) in the frame of one camera (4, 4)."""
    return points @ cam_from_world[:3, :3].T + cam_from_world[:3, 3]


def backproject(depth: Tensor, K: Tensor, world_from_cam: Tensor) -> Tensor:
    """Return the world points (H, W, 3) of a depth map (H, W)."""
    height, width = depth.shape
    xy = pixel_grid(height, width, depth).reshape(height, width, 2)
    in_cam = rays(xy, K.diagonal()[:2], K[:2, 2]) * depth[..., None]
    return in_cam @ world_from_cam[:3, :3].T + world_from_cam[:3, 3]


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Return the positions (N, 2) of all pixels, row by row, in the dtype and on the device of `like`."""
    y, x = torch.meshgrid(
        torch.arange(height, dtype=like.dtype, device=like.device),
        torch.arange(width, dtype=like.dtype, device=like.device),
        indexing="ij",
    )
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


def nearest_pixel(in_cam: Tensor, K: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the flat pixels of points (..., 3) in the camera frame, 0 outside, and which lie inside the
    image of (width, height).
    """
    width, height = size
    uv = (in_cam @ K.T)[..., :2] / in_cam[..., 2:]
    uv = uv.round()
    # Compared as real numbers: a NaN or a huge coordinate must not wrap around as an integer.
    inside = (uv[..., 0] >= 0) & (uv[..., 0] < width) & (uv[..., 1] >= 0) & (uv[..., 1] < height)
    x, y = torch.where(inside[..., None], uv, 0).long().unbind(-1)
    return y * width + x, inside
