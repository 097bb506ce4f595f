"""The transformer block against a plain twin."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from pairs.networks.layers import rotation
from pairs.networks.vggt.blocks import Block, BlockConfig, token_positions

DIM, HEADS = 16, 2
D = DIM // HEADS
CPU = torch.device("cpu")


def block_of(**changed) -> Block:
    torch.manual_seed(0)
    block = Block(BlockConfig(DIM, HEADS, **changed))
    for parameter in block.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return block.requires_grad_(False)


def turned(x: Tensor, positions: Tensor) -> Tensor:
    """Return one head's vectors (N, d) turned pair by pair: the first half by the row, the second by the
    column.
    """
    out, half = x.clone(), D // 2
    for n, at in enumerate(positions.tolist()):
        for part, position in enumerate(at):
            for j in range(half // 2):
                angle = position * 100 ** (-2 * j / half)
                i, k = part * half + j, part * half + j + half // 2
                a, b = x[n, i], x[n, k]
                out[n, i], out[n, k] = (
                    a * math.cos(angle) - b * math.sin(angle),
                    b * math.cos(angle) + a * math.sin(angle),
                )
    return out


def plain_block(block: Block, x: Tensor, positions: Tensor | None) -> Tensor:
    """Return what a block makes of one sequence (N, C), head by head, the softmax written out."""
    q, k, v = block.attn.qkv(block.norm1(x)).chunk(3, -1)
    heads = []
    for head in range(HEADS):
        part = slice(head * D, (head + 1) * D)
        one_q, one_k = block.attn.q_norm(q[:, part]), block.attn.k_norm(k[:, part])
        if positions is not None:
            one_q, one_k = turned(one_q, positions), turned(one_k, positions)
        heads.append((one_q @ one_k.T / math.sqrt(D)).softmax(-1) @ v[:, part])
    x = x + block.ls1(block.attn.proj(torch.cat(heads, -1)))
    return x + block.ls2(block.mlp.fc2(functional.gelu(block.mlp.fc1(block.norm2(x)))))


@pytest.mark.parametrize("changed", [{"qk_norm": True}, {"layer_scale": None}, {"eps": 1e-6}])
@pytest.mark.parametrize("placed", [True, False])
def test_a_block_is_scaled_attention_and_mlp_added_up(changed, placed):
    block, x = block_of(**changed), torch.randn(2, 3 + 6, DIM)
    positions = token_positions((2, 3), 3, CPU)
    turn = rotation(positions, D, 100.0) if placed else None
    expected = torch.stack([plain_block(block, each, positions[0] if placed else None) for each in x])
    assert_close(block(x, turn), expected, atol=1e-5, rtol=1e-5)


def test_special_tokens_stand_at_the_origin_and_patches_begin_at_one():
    assert token_positions((2, 2), 2, CPU)[0].tolist() == [[0, 0], [0, 0], [1, 1], [1, 2], [2, 1], [2, 2]]
    assert token_positions((1, 2), 0, CPU)[0].tolist() == [[0, 0], [0, 1]]
