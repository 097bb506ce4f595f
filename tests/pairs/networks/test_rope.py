"""Rotary positions against the published formula, entry by entry."""

from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from pairs.networks.layers import apply_rope, grid_positions, rotation

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
