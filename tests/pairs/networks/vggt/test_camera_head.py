"""The camera head's iterations."""

from __future__ import annotations

import math

import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_vggt import small_vggt
from torch.testing import assert_close

from pairs.networks.vggt.camera_head import decode_cameras, encode_cameras

TOKENS = torch.randn(1, 3, 64, generator=torch.Generator().manual_seed(0))


def test_more_iterations_go_on_from_fewer():
    head = small_vggt().camera_head
    assert_close(head(TOKENS, 4)[:2], head(TOKENS, 2))
    assert len(head(TOKENS)) == head.config.iterations


def test_an_iteration_carries_gradient_through_its_own_correction_only():
    head = small_vggt().camera_head.requires_grad_(True)
    _, second = head(TOKENS, 2)
    second[..., :3].sum().backward()
    assert head.empty_pose_tokens.grad is None
    head(TOKENS, 2)[0][..., :3].sum().backward()
    assert head.empty_pose_tokens.grad.abs().sum() > 0


def test_the_raw_encoding_is_fed_back_not_the_rectified_one():
    head = small_vggt().camera_head
    head.pose_branch.fc2.bias[7:] = -5.0
    head.pose_branch.fc2.weight[7:] = 0
    assert all((encoding[..., 7:] == 0).all() for encoding in head(TOKENS, 3))
    # Were the rectified field of view fed back, the third iteration would see the same encoding as the
    # second.
    head.embed_pose.weight[:, :7] = 0
    head.pose_branch.fc2.weight[:7] *= 5
    second, third = head(TOKENS, 3)[1:]
    corrections = second[..., :3] - head(TOKENS, 1)[0][..., :3], third[..., :3] - second[..., :3]
    assert (corrections[0] - corrections[1]).abs().max() > 1e-4


def test_frames_look_at_each_other():
    head, changed = small_vggt().camera_head, TOKENS.clone()
    changed[:, 2] = changed[:, 2].flip(-1)
    assert (head(TOKENS)[-1] - head(changed)[-1])[:, 0].abs().max() > 1e-5


SIZE = (294, 518)


@settings(max_examples=50)
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
