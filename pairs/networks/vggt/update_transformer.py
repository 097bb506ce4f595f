"""Attention along the frames of every track, and across the tracks of every frame (VGGT's specification, chapter 11.6)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pairs.networks.layers import Mlp
from pairs.networks.vggt.blocks import NORM_EPS
from pairs.networks.vggt.config import TrackerConfig


class TrackSelfBlock(nn.Module):
    """Self attention and an MLP. Attention is added to the normalised tokens, unlike in the other blocks of the network."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = Mlp(dim, int(mlp_ratio * dim), dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens (B, N, C) one block later."""
        normal = self.norm1(x)
        y = normal + self.attn(normal, normal, normal, need_weights=False)[0]
        return y + self.mlp(self.norm2(y))


class TrackCrossBlock(nn.Module):
    """Attention to other tokens and an MLP, added likewise to the normalised tokens."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.norm_context = nn.LayerNorm(dim, eps=NORM_EPS)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.cross_attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = Mlp(dim, int(mlp_ratio * dim), dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Return the tokens (B, N, C) one block later; the context (B, M, C) is only read."""
        normal, context = self.norm1(x), self.norm_context(context)
        y = normal + self.cross_attn(normal, context, context, need_weights=False)[0]
        return y + self.mlp(self.norm2(y))


class UpdateTransformer(nn.Module):
    """From the tokens of all tracks to their updates. A few virtual tracks carry what the tracks of a frame have to tell each other."""

    def __init__(self, config: TrackerConfig) -> None:
        super().__init__()
        self.config = config
        dim, shape = config.hidden, (config.hidden, config.heads, config.mlp_ratio)
        self.input_norm = nn.LayerNorm(config.token, eps=NORM_EPS)
        self.input_transform = nn.Linear(config.token, dim)
        self.output_norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.flow_head = nn.Linear(dim, config.latent + 2)
        self.time_blocks = nn.ModuleList(TrackSelfBlock(*shape) for _ in range(config.depth))
        if config.virtual_tracks:
            # The misspelt name is that of the published state dicts.
            self.virual_tracks = nn.Parameter(torch.zeros(1, config.virtual_tracks, 1, dim))
            self.space_virtual_blocks = nn.ModuleList(TrackSelfBlock(*shape) for _ in range(config.depth))
            self.space_point2virtual_blocks = nn.ModuleList(TrackCrossBlock(*shape) for _ in range(config.depth))
            self.space_virtual2point_blocks = nn.ModuleList(TrackCrossBlock(*shape) for _ in range(config.depth))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the updates (B, N, S, 2 + latent) of tokens (B, N, S, ·)."""
        start = self.input_transform(self.input_norm(tokens))
        num_scenes, num_tracks, num_frames, _ = start.shape
        x = start
        if self.config.virtual_tracks:
            x = torch.cat([x, self.virual_tracks.expand(num_scenes, -1, num_frames, -1)], dim=1)
        for stage, time_block in enumerate(self.time_blocks):
            x = time_block(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            if self.config.virtual_tracks:
                x = self._across_tracks(x, num_tracks, stage)
        return self.flow_head(self.output_norm(x[:, :num_tracks] + start))

    def _across_tracks(self, x: Tensor, num_tracks: int, stage: int) -> Tensor:
        """Return the tokens (B, N + virtual, S, C) after the exchange within every frame."""
        shape = x.shape[0], x.shape[2]
        points, virtual = x.transpose(1, 2).flatten(0, 1).split([num_tracks, self.config.virtual_tracks], dim=1)
        virtual = self.space_virtual2point_blocks[stage](virtual, points)
        virtual = self.space_virtual_blocks[stage](virtual)
        points = self.space_point2virtual_blocks[stage](points, virtual)
        return torch.cat([points, virtual], dim=1).unflatten(0, shape).transpose(1, 2)
