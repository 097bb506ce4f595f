"""Published pose figures."""

from __future__ import annotations

import numpy as np
import pytest
import roma
import torch

from align.evaluation.pose_auc import pair_errors_deg, pose_auc


def poses(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = np.tile(np.eye(4), (count, 1, 1))
    found[:, :3, :3] = roma.random_rotmat(
        count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    ).numpy()
    found[:, :3, 3] = rng.normal(size=(count, 3))
    return found


def test_the_truth_has_no_error_and_the_whole_area():
    true = poses(5)
    rotation, translation = pair_errors_deg(true, true)
    assert rotation.max() < 1e-4
    assert translation.max() < 1e-4
    assert pose_auc(rotation, translation, 30) == 1


def test_neither_the_world_nor_the_scale_matters_nor_the_sign_of_a_baseline():
    true, moved = poses(5), poses(5)
    moved[:, :3, 3] *= -3
    assert max(errors.max() for errors in pair_errors_deg(moved @ poses(1, 4)[0], true)) < 1e-4


def test_a_turned_view_is_off_by_its_turn():
    true, turned = poses(3), poses(3)
    turn = roma.rotvec_to_rotmat(torch.tensor([0.0, np.deg2rad(10), 0.0], dtype=torch.float64)).numpy()
    turned[2, :3, :3] = turn @ turned[2, :3, :3]
    turned[2, :3, 3] = turn @ turned[2, :3, 3]
    rotation, _ = pair_errors_deg(turned, true)
    np.testing.assert_allclose(rotation, [0, 10, 10], atol=1e-4)


def test_the_area_is_that_of_whole_degrees():
    errors = np.array([0.5, 2.5, 7.0, 100.0])
    assert pose_auc(errors, np.zeros(4), 3) == pytest.approx((0.25 + 0.25 + 0.5) / 3)
    assert pose_auc(errors[:0], errors[:0], 3) == 0


def test_a_pair_without_a_baseline_has_a_right_angle():
    same = np.tile(np.eye(4), (2, 1, 1))
    assert pair_errors_deg(same, poses(2))[1][0] == pytest.approx(90, abs=1e-3)
