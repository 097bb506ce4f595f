"""The camera head: one pose encoding a frame, refined a few times (VGGT's specification, chapter 8)."""

from __future__ import annotations

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
        self.trunk = nn.ModuleList(Block(BlockConfig(dim, config.heads, config.mlp_ratio)) for _ in range(config.depth))
        self.token_norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.trunk_norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.empty_pose_tokens = nn.Parameter(torch.zeros(1, 1, ENCODING))
        self.embed_pose = nn.Linear(ENCODING, dim)
        self.poseLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 3 * dim))
        self.pose_branch = Mlp(dim, dim // 2, ENCODING)

    def forward(self, camera: Tensor, iterations: int | None = None) -> list[Tensor]:
        """Return the pose encodings (B, S, 9) after every iteration, from the camera tokens (B, S, 2C) of the last layer."""
        tokens = self.token_norm(camera)
        plain = functional.layer_norm(tokens, tokens.shape[-1:], eps=_MODULATION_EPS)
        raw: Tensor | None = None
        encodings = []
        for _ in range(iterations or self.config.iterations):
            # Each iteration answers for its own correction only, so the encoding that it starts from carries no gradient.
            before = None if raw is None else raw.detach()
            delta = self._correction(tokens, plain, self.empty_pose_tokens.expand(*camera.shape[:2], -1) if before is None else before)
            raw = delta if before is None else before + delta
            encodings.append(pose_output(raw, self.config.translation, self.config.quaternion, self.config.field_of_view))
        return encodings

    def _correction(self, tokens: Tensor, plain: Tensor, encoding: Tensor) -> Tensor:
        """Return what to add to raw encodings (B, S, 9). Every iteration starts from the same tokens, modulated by where it is."""
        shift, scale, gate = self.poseLN_modulation(self.embed_pose(encoding)).chunk(3, dim=-1)
        x = gate * (plain * (1 + scale) + shift) + tokens
        for block in self.trunk:
            x = block(x)
        return self.pose_branch(self.trunk_norm(x))
