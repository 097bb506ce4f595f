"""Blocks, rotary positions and patches against plain twins."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_networks import random_images
from torch import Tensor
from torch.testing import assert_close

from masks.errors import ImageError
from pairs.networks.layers import (
    CrossAttention,
    DecoderBlock,
    PatchEmbed,
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


HEAD_DIM, BASE = 16, 100.0


def plainly_rotated(head: list[float], position: tuple[int, int]) -> list[float]:
    """Return one head of one token, by the sums as they are published."""
    half = len(head) // 2
    out = [0.0] * len(head)
    for axis, place in enumerate(position):
        t = head[axis * half : (axis + 1) * half]
        for j in range(half // 2):
            angle = place * BASE ** (-2 * j / half)
            out[axis * half + j] = t[j] * math.cos(angle) - t[j + half // 2] * math.sin(angle)
            out[axis * half + j + half // 2] = t[j + half // 2] * math.cos(angle) + t[j] * math.sin(angle)
    return out


def heads(seed: int, tokens: int = 1) -> torch.Tensor:
    return torch.randn(1, tokens, 1, HEAD_DIM, generator=torch.Generator().manual_seed(seed))


def test_every_channel_is_turned_as_the_formula_says():
    positions = grid_positions((3, 5), torch.device("cpu"))
    turned = apply_rope(heads(1, 15), rotation(positions, HEAD_DIM, BASE))
    for token, position in enumerate(positions[0].tolist()):
        expected = torch.tensor(plainly_rotated(heads(1, 15)[0, token, 0].tolist(), position))
        assert_close(turned[0, token, 0], expected, atol=1e-5, rtol=1e-5)


@given(st.tuples(*[st.integers(0, 30)] * 6), st.integers(0, 99))
def test_attention_sees_differences_of_positions_only(places, seed):
    (row_q, column_q, row_k, column_k, row, column) = places
    query, key = heads(seed), heads(seed + 100)
    products = []
    for dr, dc in ((0, 0), (row, column)):
        at = [torch.tensor([[[r + dr, c + dc]]]) for r, c in ((row_q, column_q), (row_k, column_k))]
        products.append(
            (
                apply_rope(query, rotation(at[0], HEAD_DIM, BASE))
                * apply_rope(key, rotation(at[1], HEAD_DIM, BASE))
            ).sum()
        )
    # Angles up to 60 rad in float32 are good to 4e-6, the products of 16 channels to a few times that.
    assert_close(products[0], products[1], atol=2e-4, rtol=1e-4)


def test_angles_stay_exact_for_tokens_of_half_precision():
    far = torch.tensor([[[500, 301]]])
    exact = apply_rope(heads(3), rotation(far, HEAD_DIM, BASE))
    half = apply_rope(heads(3).bfloat16(), rotation(far, HEAD_DIM, BASE))
    assert half.dtype == torch.bfloat16
    # bfloat16 keeps 8 bits of the channels; angles in bfloat16 would be off by a radian here.
    assert_close(half.float(), exact, atol=0.03, rtol=0.01)


EMBED = PatchEmbed(16, 8).requires_grad_(False)


def test_a_token_is_a_linear_map_of_its_patch():
    images = random_images(2, (32, 48))
    tokens, positions = EMBED(images)
    for n, (row, column) in enumerate(positions[1].tolist()):
        patch = images[1, :, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
        assert_close(
            tokens[1, n], (EMBED.proj.weight * patch).sum((1, 2, 3)) + EMBED.proj.bias, atol=1e-5, rtol=1e-5
        )
    assert positions[0].tolist() == [[row, column] for row in range(2) for column in range(3)]


@pytest.mark.parametrize("size", [(30, 48), (32, 47), (8, 16), (0, 16)])
def test_images_that_are_no_whole_patches_are_refused_with_both_sides_named(size):
    with pytest.raises(ImageError, match=rf"{size[1]}x{size[0]} pixels .* multiples of 16"):
        EMBED(torch.zeros(1, 3, *size))


def test_images_must_come_channels_first():
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\)"):
        EMBED(torch.zeros(1, 32, 48, 3))


def test_portrait_images_of_a_mixed_batch_are_embedded_upright():
    stored = random_images(3, (32, 48))
    tokens, positions = EMBED.forward_mixed(stored, torch.tensor([False, True, False]))
    for k, image in enumerate((stored[:1], stored[1:2].transpose(-1, -2), stored[2:])):
        alone, at = EMBED(image)
        assert_close(tokens[k], alone[0], atol=1e-6, rtol=1e-5)
        assert torch.equal(positions[k], at[0])


def test_a_mixed_batch_must_be_stored_in_landscape():
    with pytest.raises(ValueError, match="landscape"):
        EMBED.forward_mixed(random_images(1, (48, 32)), torch.tensor([True]))
