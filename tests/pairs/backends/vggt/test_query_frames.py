"""Which frames to begin with."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pairs.backends.vggt.query_frames import (
    choose_frames,
    first_frame_first,
    frame_features,
    swapped_to_front,
)
from pairs.networks.vggt.config import DinoConfig
from pairs.networks.vggt.dino import Dino


def features(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 100))
def test_no_frame_is_chosen_twice(num_frames, count, seed):
    chosen = choose_frames(features(num_frames, seed), count)
    assert len(chosen) == len(set(chosen)) == min(num_frames, count)


def test_the_next_frame_is_the_one_least_like_the_last():
    angles = np.deg2rad([0, 10, 20, 90, 180])
    rows = np.stack([np.cos(angles), np.sin(angles)], -1).astype(np.float32)
    # Frame 2 is most like all others; 180 degrees is farthest from it, and 0 degrees from that, near as it is
    # to the first.
    assert choose_frames(rows, 3) == [2, 4, 0]


def test_frame_0_is_put_first():
    assert first_frame_first([3, 0, 5]) == [0, 3, 5]
    assert first_frame_first([3, 5]) == [0, 3, 5]


@given(st.integers(0, 6))
def test_swapping_undoes_itself(frame):
    order = swapped_to_front(frame, 7)
    assert order[0] == frame
    assert torch.equal(order[order], torch.arange(7))


def test_features_are_unit_vectors():
    dino = Dino(DinoConfig(dim=8, depth=1, heads=2, stored_side=2)).requires_grad_(False)
    dino.cls_token.data += torch.arange(8.0)
    found = frame_features(dino, torch.rand(2, 3, 30, 50, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(2))
