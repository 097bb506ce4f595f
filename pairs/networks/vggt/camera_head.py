"""The camera head: one pose encoding a frame, refined a few times (docs/vggt.md, "Camera head")."""

from __future__ import annotations

import roma
import torch
from torch import Tensor, nn
from torch.nn import functional

from pairs.networks.layers import Mlp
from pairs.networks.vggt.activations import pose_output
from pairs.networks.vggt.blocks import NORM_EPS, Block, BlockConfig
from pairs.networks.vggt.config import CameraHeadConfig

ENCODING = 9
"""Numbers of a pose encoding: translation 3, quaternion 4, field of view 2."""

_MODULATION_EPS = 1e-6  # of the norm without parameters


class CameraHead(nn.Module):
    """Looks at the camera tokens of all frames of a scene together."""

    def __init__(self, config: CameraHeadConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.trunk = nn.ModuleList(
            Block(BlockConfig(dim, config.heads, config.mlp_ratio)) for _ in range(config.depth)
        )
        self.token_norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.trunk_norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.empty_pose_tokens = nn.Parameter(torch.zeros(1, 1, ENCODING))
        self.embed_pose = nn.Linear(ENCODING, dim)
        self.poseLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 3 * dim))
        self.pose_branch = Mlp(dim, dim // 2, ENCODING)

    def forward(self, camera: Tensor, iterations: int | None = None) -> list[Tensor]:
        """Return the pose encodings (B, S, 9) after every iteration, from the camera tokens (B, S, 2C) of the
        last layer.
        """
        tokens = self.token_norm(camera)
        # The norm has no parameters: scale and shift come from the encoding so far.
        plain = functional.layer_norm(tokens, tokens.shape[-1:], eps=_MODULATION_EPS)
        raw: Tensor | None = None
        encodings = []
        for _ in range(iterations or self.config.iterations):
            # Each iteration answers for its own correction only, so the encoding that it starts from carries
            # no gradient.
            before = None if raw is None else raw.detach()
            delta = self._correction(
                tokens,
                plain,
                self.empty_pose_tokens.expand(*camera.shape[:2], -1) if before is None else before,
            )
            # The raw encoding is fed back, as in training; the rectifier acts on what is handed on alone.
            raw = delta if before is None else before + delta
            encodings.append(
                pose_output(raw, self.config.translation, self.config.quaternion, self.config.field_of_view)
            )
        return encodings

    def _correction(self, tokens: Tensor, plain: Tensor, encoding: Tensor) -> Tensor:
        """Return what to add to raw encodings (B, S, 9). Every iteration starts from the same tokens,
        modulated by where it is.
        """
        shift, scale, gate = self.poseLN_modulation(self.embed_pose(encoding)).chunk(3, dim=-1)
        x = gate * (plain * (1 + scale) + shift) + tokens
        for block in self.trunk:
            x = block(x)
        return self.pose_branch(self.trunk_norm(x))


def encode_cameras(cam_from_world: Tensor, K: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the encodings (..., 9) of poses (..., 3 or 4, 4) and intrinsics (..., 3, 3) in pixels of images
    of `size` (height, width).

    The quaternion's scalar is not negative. The principal point is lost.
    """
    quaternion = roma.rotmat_to_unitquat(cam_from_world[..., :3, :3])
    # q and -q are one rotation; the losses compare signs.
    quaternion = torch.where(quaternion[..., 3:] < 0, -quaternion, quaternion)
    h, w = size
    fields = [2 * torch.atan(side / 2 / K[..., axis, axis]) for side, axis in ((h, 1), (w, 0))]
    return torch.cat([cam_from_world[..., :3, 3], quaternion, torch.stack(fields, dim=-1)], dim=-1)


def decode_cameras(encoding: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the poses (..., 3, 4) and intrinsics (..., 3, 3) of encodings (..., 9), in pixels of images of
    `size` (height, width).

    The principal point is (width / 2, height / 2): the middle of the image where pixel centres lie at half
    integers. Quaternions need no unit length; a zero quaternion gives no number, and a field of view of zero,
    which the network's rectifier can give, an infinite focal length.
    """
    rotation = roma.unitquat_to_rotmat(roma.quat_normalize(encoding[..., 3:7]))
    cam_from_world = torch.cat([rotation, encoding[..., :3, None]], dim=-1)
    h, w = size
    K = encoding.new_zeros(*encoding.shape[:-1], 3, 3)
    K[..., 0, 0] = w / 2 / torch.tan(encoding[..., 8] / 2)
    K[..., 1, 1] = h / 2 / torch.tan(encoding[..., 7] / 2)
    K[..., 0, 2], K[..., 1, 2], K[..., 2, 2] = w / 2, h / 2, 1
    return cam_from_world, K
