"""Blocks against plain twins."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.testing import assert_close

from pairs.networks.layers import (
    CrossAttention,
    DecoderBlock,
    SelfAttention,
    apply_rope,
    grid_positions,
    rotation,
)

DIM, HEADS = 16, 2
D = DIM // HEADS
ROWS = torch.Generator().manual_seed(0)
CPU = torch.device("cpu")


def tokens(grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return tokens of two images and their positions."""
    count = grid[0] * grid[1]
    return torch.randn(2, count, DIM, generator=ROWS), grid_positions(grid, CPU).expand(2, -1, -1)


def plain_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return attention of (B, N, C), head by head, with the softmax written out."""
    out = []
    for head in range(HEADS):
        part = slice(head * D, (head + 1) * D)
        weight = (q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(D)).softmax(-1)
        out.append(weight @ v[..., part])
    return torch.cat(out, -1)


def turned(x: Tensor, positions: Tensor) -> Tensor:
    return apply_rope(x.unflatten(-1, (HEADS, D)), rotation(positions, D, 100.0)).flatten(2)


def test_self_attention_is_the_softmax_of_turned_queries_and_keys():
    layer = SelfAttention(DIM, HEADS)
    x, at = tokens((3, 4))
    q, k, v = layer.qkv(x).chunk(3, -1)
    expected = layer.proj(plain_attention(turned(q, at), turned(k, at), v))
    assert_close(layer(x, rotation(at, D, 100.0)), expected, atol=1e-5, rtol=1e-5)


def test_cross_attention_turns_each_side_by_its_own_positions():
    layer = CrossAttention(DIM, HEADS)
    (x, at_x), (y, at_y) = tokens((2, 3)), tokens((3, 4))
    expected = layer.proj(
        plain_attention(turned(layer.projq(x), at_x), turned(layer.projk(y), at_y), layer.projv(y))
    )
    assert_close(
        layer(x, y, rotation(at_x, D, 100.0), rotation(at_y, D, 100.0)), expected, atol=1e-5, rtol=1e-5
    )


def test_a_decoder_block_only_reads_the_other_view():
    block = DecoderBlock(DIM, HEADS, 4, norm_memory=True)
    (x, at_x), (y, at_y) = tokens((2, 3)), tokens((2, 3))
    before = y.clone()
    block(x, y, rotation(at_x, D, 100.0), rotation(at_y, D, 100.0))
    assert torch.equal(y, before)


def test_without_its_norm_a_decoder_block_has_no_weights_for_it():
    assert not [
        name
        for name in DecoderBlock(DIM, HEADS, 4, norm_memory=False).state_dict()
        if name.startswith("norm_y")
    ]
