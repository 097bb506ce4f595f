"""Transformer blocks (the pair network's specification, chapter 2). Tokens are (B, N, C)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from pairs.networks.rope import Rotation, rotate

LAYER_NORM_EPS = 1e-6


class SelfAttention(nn.Module):
    """Attention among the tokens of one image."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, turn: Rotation) -> Tensor:
        """Return what each token (B, N, C) gathers from all of them."""
        heads = self.qkv(x).unflatten(-1, (3 * self.heads, -1))  # (B, N, 3 heads, d): queries, keys, values
        query, key = rotate(heads[:, :, : 2 * self.heads], turn).chunk(2, dim=2)
        return self.proj(_attend(query, key, heads[:, :, 2 * self.heads :]))


class CrossAttention(nn.Module):
    """Attention of the tokens of one image to those of another."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projq = nn.Linear(dim, dim)
        self.projk = nn.Linear(dim, dim)
        self.projv = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, memory: Tensor, turn: Rotation, memory_turn: Rotation) -> Tensor:
        """Return what each token of x (B, N, C) gathers from the memory (B, M, C); each side turns by its own positions."""
        query, key, value = (
            layer(tokens).unflatten(-1, (self.heads, -1)) for layer, tokens in ((self.projq, x), (self.projk, memory), (self.projv, memory))
        )
        return self.proj(_attend(rotate(query, turn), rotate(key, memory_turn), value))


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, dim: int, hidden: int, out: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        """Map each token by itself."""
        return self.fc2(functional.gelu(self.fc1(x)))


class EncoderBlock(nn.Module):
    """Self attention and an MLP, each added to what comes in."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.attn = SelfAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.mlp = Mlp(dim, int(mlp_ratio * dim), dim)

    def forward(self, x: Tensor, turn: Rotation) -> Tensor:
        """Return the tokens (B, N, C) one block later."""
        x = x + self.attn(self.norm1(x), turn)
        return x + self.mlp(self.norm2(x))


class DecoderBlock(nn.Module):
    """Self attention, attention to the other view, and an MLP, each added to what comes in."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float, *, norm_memory: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.attn = SelfAttention(dim, heads)
        self.norm_y = nn.LayerNorm(dim, eps=LAYER_NORM_EPS) if norm_memory else nn.Identity()
        self.norm2 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.cross_attn = CrossAttention(dim, heads)
        self.norm3 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.mlp = Mlp(dim, int(mlp_ratio * dim), dim)

    def forward(self, x: Tensor, y: Tensor, turn: Rotation, memory_turn: Rotation) -> Tensor:
        """Return the own tokens x (B, N, C) one block later; the other view's tokens y (B, M, C) are only read."""
        x = x + self.attn(self.norm1(x), turn)
        x = x + self.cross_attn(self.norm2(x), self.norm_y(y), turn, memory_turn)
        return x + self.mlp(self.norm3(x))


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return softmax attention of (B, N, heads, d) to (B, M, heads, d) as (B, N, heads * d)."""
    out = functional.scaled_dot_product_attention(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2))
    return out.transpose(1, 2).flatten(2)
