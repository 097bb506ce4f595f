"""Cameras as nine numbers: translation, quaternion (scalar last), vertical and horizontal field of view (VGGT's specification, chapter 9)."""

from __future__ import annotations

import roma
import torch
from torch import Tensor


def encode_cameras(cam_from_world: Tensor, K: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the encodings (..., 9) of poses (..., 3 or 4, 4) and intrinsics (..., 3, 3) in pixels of images of `size` (height, width).

    The quaternion's scalar is not negative. The principal point is lost.
    """
    quaternion = roma.rotmat_to_unitquat(cam_from_world[..., :3, :3])
    quaternion = torch.where(quaternion[..., 3:] < 0, -quaternion, quaternion)
    h, w = size
    fields = [2 * torch.atan(side / 2 / K[..., axis, axis]) for side, axis in ((h, 1), (w, 0))]
    return torch.cat([cam_from_world[..., :3, 3], quaternion, torch.stack(fields, dim=-1)], dim=-1)


def decode_cameras(encoding: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the poses (..., 3, 4) and intrinsics (..., 3, 3) of encodings (..., 9), in pixels of images of `size` (height, width).

    The principal point is (width / 2, height / 2): the middle of the image where pixel centres lie at half integers. Quaternions need no unit
    length; a zero quaternion gives no number, and a field of view of zero, which the network's rectifier can give, an infinite focal length.
    """
    rotation = roma.unitquat_to_rotmat(roma.quat_normalize(encoding[..., 3:7]))
    cam_from_world = torch.cat([rotation, encoding[..., :3, None]], dim=-1)
    h, w = size
    K = encoding.new_zeros(*encoding.shape[:-1], 3, 3)
    K[..., 0, 0] = w / 2 / torch.tan(encoding[..., 8] / 2)
    K[..., 1, 1] = h / 2 / torch.tan(encoding[..., 7] / 2)
    K[..., 0, 2], K[..., 1, 2], K[..., 2, 2] = w / 2, h / 2, 1
    return cam_from_world, K
