"""The transformer block that DINOv2, the aggregator and the camera head share (docs/vggt.md, "Aggregator").
Tokens are (B, N, C).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pairs.networks.layers import Mlp, RotaryEmbedding, apply_rope, grid_positions

NORM_EPS = 1e-5
"""Of every layer norm except those of DINOv2 and the camera head's norm without parameters."""


@dataclass(frozen=True, slots=True)
class BlockConfig:
    """A block's shape."""

    dim: int
    heads: int
    mlp_ratio: float = 4.0
    eps: float = NORM_EPS
    """Of the norms before attention and MLP."""
    qk_norm: bool = False
    """Whether queries and keys are normalised, head by head."""
    layer_scale: float | None = 0.01
    """Start value of the learned factors on what the block adds; none without factors."""


class SelfAttention(nn.Module):
    """Attention among the tokens of one sequence."""

    def __init__(self, dim: int, heads: int, qk_norm: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        # One norm for all heads. It bounds the products of queries and keys, which would grow over the tens
        # of thousands of tokens of a scene.
        self.q_norm = nn.LayerNorm(dim // heads, eps=NORM_EPS) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(dim // heads, eps=NORM_EPS) if qk_norm else nn.Identity()
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, turn: RotaryEmbedding | None) -> Tensor:
        """Return what each token (B, N, C) gathers from all of them; without a turn positions do not
        matter.
        """
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2)  # (B, N, heads, d) each
        query, key = self.q_norm(query), self.k_norm(key)
        if turn is not None:
            query, key = apply_rope(query, turn), apply_rope(key, turn)
        # Norms give float32 whatever the precision around them, and attention wants three tensors of one
        # type.
        heads = (tokens.to(value.dtype).transpose(1, 2) for tokens in (query, key, value))
        return self.proj(functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))


class LayerScale(nn.Module):
    """A learned factor for every channel."""

    def __init__(self, dim: int, start: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), start))

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled tokens."""
        return x * self.gamma


class Block(nn.Module):
    """Self attention and an MLP, each scaled and added to what comes in."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        dim, scale = config.dim, config.layer_scale
        self.norm1 = nn.LayerNorm(dim, eps=config.eps)
        self.attn = SelfAttention(dim, config.heads, config.qk_norm)
        self.ls1 = nn.Identity() if scale is None else LayerScale(dim, scale)
        self.norm2 = nn.LayerNorm(dim, eps=config.eps)
        self.mlp = Mlp(dim, int(config.mlp_ratio * dim), dim)
        self.ls2 = nn.Identity() if scale is None else LayerScale(dim, scale)

    def forward(self, x: Tensor, turn: RotaryEmbedding | None = None) -> Tensor:
        """Return the tokens (B, N, C) one block later."""
        x = x + self.ls1(self.attn(self.norm1(x), turn))
        return x + self.ls2(self.mlp(self.norm2(x)))


def token_positions(grid: tuple[int, int], num_special: int, device: torch.device) -> Tensor:
    """Return the (row, column) of every token of a frame (1, num_special + h w, 2) int64
    (docs/vggt.md, "Aggregator").

    Special tokens stand first, at (0, 0), which leaves them unturned; patches begin at (1, 1) then, and at
    (0, 0) where there are no special tokens.
    """
    patches = grid_positions(grid, device)
    if num_special == 0:
        return patches
    return torch.cat([patches.new_zeros(1, num_special, 2), patches + 1], dim=1)
