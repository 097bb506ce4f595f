"""Rotary position embedding in two dimensions (the pair network's specification, chapter 1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Rotation:
    """The turn of every channel pair of a head at every token; made once and used by all blocks of a stack."""

    cos: Tensor  # (B, N, 1, 2, 1, d/4) float32; axis 3 is row, column
    sin: Tensor  # (B, N, 1, 2, 2, d/4) float32, negated for the first channel of each pair


def rotation(positions: Tensor, head_dim: int, base: float) -> Rotation:
    """Return the turns for heads of `head_dim` channels at (row, column) positions (B, N, 2).

    Angles are float32 whatever the precision of the tokens: in half precision a few tokens apart would be told from each other no more.
    """
    half = head_dim // 2
    exponent = torch.arange(0, half, 2, device=positions.device, dtype=torch.float32) / half
    angle = positions.float()[..., None] * (1.0 / base**exponent)  # (B, N, 2, d/4)
    angle = angle[:, :, None, :, None]
    sin = angle.sin()
    return Rotation(angle.cos(), torch.cat([-sin, sin], dim=-2))


def rotate(channels: Tensor, turn: Rotation) -> Tensor:
    """Turn queries or keys (B, N, heads, d): the first half of each head by its token's row, the second by its column.

    Within a half, channel j is paired with channel j + d/4.
    """
    pairs = channels.unflatten(-1, (2, 2, -1))  # (B, N, heads, row or column, first or second of a pair, d/4)
    return torch.addcmul(pairs * turn.cos, pairs.flip(-2), turn.sin).flatten(-3).to(channels.dtype)
