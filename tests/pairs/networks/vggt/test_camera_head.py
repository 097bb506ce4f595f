"""The camera head's iterations."""

from __future__ import annotations

import torch
from small_vggt import small_vggt
from torch.testing import assert_close

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
