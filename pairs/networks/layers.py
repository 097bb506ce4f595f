"""Transformer blocks (docs/pair_networks.md, "Transformer blocks"). Tokens are (B, N, C)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from masks.errors import ImageError

# Torch's default is 1e-5; golden cases tell the two apart.
LAYER_NORM_EPS = 1e-6


class SelfAttention(nn.Module):
    """Attention among the tokens of one image."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, turn: RotaryEmbedding) -> Tensor:
        """Return what each token (B, N, C) gathers from all of them."""
        # Queries and keys turn by the same positions, so they turn together, in one pass over memory.
        heads = self.qkv(x).unflatten(-1, (3 * self.heads, -1))  # (B, N, 3 heads, d): queries, keys, values
        query, key = apply_rope(heads[:, :, : 2 * self.heads], turn).chunk(2, dim=2)
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

    def forward(
        self, x: Tensor, memory: Tensor, turn: RotaryEmbedding, memory_turn: RotaryEmbedding
    ) -> Tensor:
        """Return what each token of x (B, N, C) gathers from the memory (B, M, C); each side turns by its own
        positions.
        """
        query, key, value = (
            layer(tokens).unflatten(-1, (self.heads, -1))
            for layer, tokens in ((self.projq, x), (self.projk, memory), (self.projv, memory))
        )
        return self.proj(_attend(apply_rope(query, turn), apply_rope(key, memory_turn), value))


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

    def forward(self, x: Tensor, turn: RotaryEmbedding) -> Tensor:
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

    def forward(self, x: Tensor, y: Tensor, turn: RotaryEmbedding, memory_turn: RotaryEmbedding) -> Tensor:
        """Return the own tokens x (B, N, C) one block later; the other view's tokens y (B, M, C) are only
        read.
        """
        x = x + self.attn(self.norm1(x), turn)
        x = x + self.cross_attn(self.norm2(x), self.norm_y(y), turn, memory_turn)
        return x + self.mlp(self.norm3(x))


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return softmax attention of (B, N, heads, d) to (B, M, heads, d) as (B, N, heads * d)."""
    out = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    )
    return out.transpose(1, 2).flatten(2)


@dataclass(frozen=True, slots=True)
class RotaryEmbedding:
    """The turn of every channel pair of a head at every token; made once and used by all blocks of a
    stack.
    """

    cos: Tensor  # (B, N, 1, 2, 1, d/4) float32; axis 3 is row, column
    sin: Tensor  # (B, N, 1, 2, 2, d/4) float32, negated for the first channel of each pair


def rotation(positions: Tensor, head_dim: int, base: float) -> RotaryEmbedding:
    """Return the turns for heads of `head_dim` channels at (row, column) positions (B, N, 2).

    Angles are float32 whatever the precision of the tokens: in half precision a few tokens apart would be
    told from each other no more.
    """
    half = head_dim // 2
    # Two channels share an angle, so a half of `half` channels has half / 2 of them.
    exponent = torch.arange(0, half, 2, device=positions.device, dtype=torch.float32) / half
    angle = positions.float()[..., None] * (1.0 / base**exponent)  # (B, N, 2, d/4)
    angle = angle[:, :, None, :, None]
    # cos t - sin t' for the first of a pair, cos t' + sin t for the second: with the sign in the table both
    # are one multiply-add on the pair and its flip.
    sin = angle.sin()
    return RotaryEmbedding(angle.cos(), torch.cat([-sin, sin], dim=-2))


def apply_rope(channels: Tensor, turn: RotaryEmbedding) -> Tensor:
    """Turn queries or keys (B, N, heads, d): the first half of each head by its token's row, the second by
    its column.

    Within a half, channel j is paired with channel j + d/4.
    """
    pairs = channels.unflatten(-1, (2, 2, -1))  # (B, N, heads, row or column, first or second of a pair, d/4)
    return torch.addcmul(pairs * turn.cos, pairs.flip(-2), turn.sin).flatten(-3).to(channels.dtype)


class PatchEmbed(nn.Module):
    """A linear map of each patch; no norm, no class token, no added position."""

    def __init__(self, patch_size: int, dim: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv2d(3, dim, patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens (B, N, C), float32, and their (row, column) positions (B, N, 2) of images (B, 3, H,
        W) as they lie.

        Raises `ImageError` when a side is not a multiple of the patch.
        """
        check_images(images, self.patch_size)
        maps = self.proj(images)
        # Float32: the residual stream stays exact to rounding while the blocks may run in half precision.
        return maps.flatten(2).transpose(1, 2).float(), grid_positions(maps.shape[-2:], images.device).expand(
            len(images), -1, -1
        )

    def forward_mixed(self, images: Tensor, portrait: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same of a batch in which the images that are `portrait` (B,) bool lie transposed; W >=
        H.

        Those are embedded upright: their tokens and positions follow the upright grid.
        """
        check_images(images, self.patch_size)
        if images.shape[-1] < images.shape[-2]:
            raise ValueError(
                f"a batch of mixed orientation is stored in landscape: got (B, 3, H, W) {tuple(images.shape)}"
            )
        # Both kinds have the same number of tokens, so they share a batch from here on.
        lying, turned = self.forward(images[~portrait]), self.forward(images[portrait].transpose(-1, -2))
        result = []
        for ours, theirs in zip(lying, turned):
            whole = torch.empty((len(images), *ours.shape[1:]), dtype=ours.dtype, device=ours.device)
            whole[~portrait], whole[portrait] = ours, theirs
            result.append(whole)
        return result[0], result[1]


def grid_positions(grid: tuple[int, int], device: torch.device) -> Tensor:
    """Return the (row, column) of every token of an (h, w) grid, row by row: (1, h * w, 2) int64."""
    rows, columns = (torch.arange(count, device=device) for count in grid)
    return torch.cartesian_prod(rows, columns)[None]


def check_images(images: Tensor, patch_size: int) -> None:
    """Raise `ImageError` unless images (B, 3, H, W) can be cut into whole patches."""
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images are (B, 3, H, W): got {tuple(images.shape)}")
    h, w = images.shape[-2:]
    if h == 0 or w == 0 or h % patch_size or w % patch_size:
        raise ImageError(
            f"image of {w}x{h} pixels (width x height): the network reads patches of "
            f"{patch_size}x{patch_size}, so both sides must be multiples of "
            f"{patch_size}. Crop it to {w // patch_size * patch_size}x{h // patch_size * patch_size}, or "
            "load it on a grid with that multiple."
        )
