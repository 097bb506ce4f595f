"""Cameras as nine numbers, there and back."""

from __future__ import annotations

import math

import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from pairs.networks.vggt.camera_head import decode_cameras, encode_cameras

SIZE = (294, 518)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_encoding_and_decoding_undo_each_other(seed):
    generator = torch.Generator().manual_seed(seed)
    R = roma.special_gramschmidt(torch.randn(3, 3, 2, generator=generator, dtype=torch.float64))
    pose = torch.cat([R, torch.randn(3, 3, 1, generator=generator, dtype=torch.float64)], -1)
    K = torch.zeros(3, 3, 3, dtype=torch.float64)
    K[:, 0, 0], K[:, 1, 1] = 100 + 900 * torch.rand(2, 3, generator=generator, dtype=torch.float64)
    K[:, 0, 2], K[:, 1, 2], K[:, 2, 2] = SIZE[1] / 2, SIZE[0] / 2, 1
    encoding = encode_cameras(pose, K, SIZE)
    assert (encoding[:, 6] >= 0).all()
    found, K_found = decode_cameras(encoding, SIZE)
    assert_close(found, pose)
    assert_close(K_found, K)


def test_the_vertical_field_of_view_comes_first():
    K = torch.tensor([[259.0, 0, 259], [0, 147.0, 147], [0, 0, 1]])
    encoding = encode_cameras(torch.eye(4)[:3], K, SIZE)
    assert_close(encoding, torch.tensor([0, 0, 0, 0, 0, 0, 1, math.pi / 2, math.pi / 2]))
    K[0, 0] = 518.0
    assert encode_cameras(torch.eye(4)[:3], K, SIZE)[8] < math.pi / 2


@pytest.mark.parametrize("length", [0.1, 7.0])
def test_the_length_of_a_quaternion_does_not_matter(length):
    encoding = torch.tensor([1, 2, 3, 0.1, -0.2, 0.3, 0.9, 1, 1])
    longer = encoding.clone()
    longer[3:7] *= length
    assert_close(decode_cameras(encoding, SIZE)[0], decode_cameras(longer, SIZE)[0])


def test_a_rectified_field_of_view_gives_an_infinite_focal_length():
    assert decode_cameras(torch.tensor([0.0, 0, 0, 0, 0, 0, 1, 0, 1]), SIZE)[1][1, 1] == math.inf
