from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from pairs.train.normalisation import NORM_MODES, depth_centred, masked_median, normalised, rescaled, spread


def clouds(
    seed: int, batch_size: int = 2
) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """Return points (B, 4, 5, 3) and masks (B, 4, 5) of two views, about two thirds valid."""
    generator = torch.Generator().manual_seed(seed)
    points = tuple(
        torch.randn(batch_size, 4, 5, 3, generator=generator, dtype=torch.float64) + 1 for _ in range(2)
    )
    valid = tuple(torch.rand(batch_size, 4, 5, generator=generator) < 0.7 for _ in range(2))
    return (points[0], points[1]), (valid[0], valid[1])


@given(
    seed=st.integers(0, 50),
    scale=st.floats(0.1, 10),
    mode=st.sampled_from(["avg_dis", "median_dis", "sqrt_dis"]),
)
def test_a_scaled_cloud_is_normalised_to_the_same_points(seed, scale, mode):
    points, valid = clouds(seed)
    plain, size = normalised(points, valid, mode)
    scaled, size_scaled = normalised((points[0] * scale, points[1] * scale), valid, mode)
    assert_close(scaled[0], plain[0])
    assert_close(scaled[1], plain[1])
    assert_close(size_scaled, size * scale)


def test_sizes_agree_with_their_definitions():
    points, valid = clouds(3)
    for pair in range(2):
        d = torch.cat([points[k][pair][valid[k][pair]].norm(dim=-1) for k in range(2)])
        expected = {"avg_dis": d.mean(), "avg_log1p": d.log1p().mean(), "avg_warp-log1p": d.log1p().mean()}
        expected |= {"median_dis": d.median(), "sqrt_dis": d.sqrt().mean() ** 2}
        for mode in NORM_MODES:
            assert_close(normalised(points, valid, mode)[1][pair], expected[mode])


@pytest.mark.parametrize("mode", NORM_MODES)
def test_a_sample_without_valid_points_or_with_a_point_at_the_camera_has_finite_gradients(mode):
    points, valid = clouds(1)
    points[0][1, 0, 0] = 0
    valid[0][1, 0, 0] = True
    for mask in valid:
        mask[0] = False
    leaves = tuple(cloud.clone().requires_grad_() for cloud in points)
    found, _ = normalised(leaves, valid, mode)
    (found[0][valid[0]].sum() + found[1][valid[1]].sum()).backward()
    assert all(leaf.grad.isfinite().all() for leaf in leaves)


def test_a_median_is_the_lower_middle_of_what_is_masked_and_decided_for_nothing():
    values = torch.tensor([[4.0, 1.0, 3.0, 9.0, torch.nan], [1.0, 2.0, 3.0, 4.0, 5.0]])
    mask = torch.tensor([[True, True, True, True, False], [False] * 5])
    assert masked_median(values, mask, 7.0).tolist() == [3.0, 7.0]


@given(seed=st.integers(0, 50), shift=st.floats(-5, 5))
def test_centring_removes_any_shift_in_depth(seed, shift):
    points, valid = clouds(seed)
    moved = tuple(cloud + torch.tensor([0.0, 0.0, shift], dtype=torch.float64) for cloud in points)
    for k in range(2):
        assert_close(depth_centred(moved, valid)[k], depth_centred(points, valid)[k])


def test_rescaling_brings_the_prediction_to_the_spread_of_the_truth():
    points, valid = clouds(5)
    truth = (points[0] * 3, points[1] * 3)
    predicted, kept = rescaled(points, truth, valid, keep_truth=True)
    assert_close(spread(predicted, valid), spread(truth, valid))
    assert_close(kept, truth)
    predicted, shrunk = rescaled(points, truth, valid, keep_truth=False)
    assert_close(spread(predicted, valid), torch.ones(2, dtype=torch.float64))
    assert_close(spread(shrunk, valid), torch.ones(2, dtype=torch.float64))
