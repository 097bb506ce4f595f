"""The losses of VGGT: against plain twins, and where there is nothing to compare."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from masks.errors import UserError
from pairs.networks.vggt.camera_head import encode_cameras
from pairs.networks.vggt.network import Dense, VggtOutput
from pairs.networks.vggt.tracker import Tracks
from pairs.train.vggt_gradients import (
    DifferenceTerm,
    NormalTerm,
    bounded,
    difference_loss,
    nearest_rank,
    normals,
    without_outliers,
)
from pairs.train.vggt_losses import PAPER_LOSS, CameraLoss, DenseLoss, TrackLoss, TrackTruth, VggtLoss
from pairs.train.vggt_scene import SceneTruth

H, W = 12, 14


def truth(seed: int = 0, scenes: int = 2, frames: int = 2) -> SceneTruth:
    generator = torch.Generator().manual_seed(seed)
    depth = 1 + torch.rand(scenes, frames, H, W, generator=generator)
    points = torch.randn(scenes, frames, H, W, 3, generator=generator)
    K = torch.tensor([[20.0, 0, 7], [0, 20, 6], [0, 0, 1]]).expand(scenes, frames, 3, 3)
    return SceneTruth(
        torch.eye(4)[:3].expand(scenes, frames, 3, 4),
        K,
        points,
        depth,
        torch.rand(depth.shape, generator=generator) < 0.8,
    )


def exact(true: SceneTruth, conf: float = 1.5) -> VggtOutput:
    """Return an output that says the truth."""
    sure = torch.full(true.depth.shape, conf)
    encoding = encode_cameras(true.cam_from_world, true.K, true.size)
    return VggtOutput(
        (encoding, encoding),
        Dense(true.depth[..., None], sure),
        Dense(true.world_points, sure),
        None,
        true.size,
    )


def test_the_truth_costs_nothing_but_the_reward_for_being_sure():
    true = truth()
    value = VggtLoss().evaluate(exact(true), true)
    assert float(value.value) == pytest.approx(-0.2 * math.log(1.5), abs=1e-6)
    assert value.details["loss_camera"] == 0
    assert value.details["loss_reg_depth"] == 0
    assert value.details["loss_grad_depth"] == 0


def test_all_parts_of_the_paper_are_summed_with_their_weights():
    true = truth()
    output = exact(true)
    seen = torch.ones(2, 2, 5, dtype=torch.bool)
    tracks = Tracks((torch.ones(2, 2, 5, 2),), torch.zeros(2, 2, 5), None)
    output = replace(output, tracks=tracks)
    found = PAPER_LOSS.evaluate(output, true, TrackTruth(torch.zeros(2, 2, 5, 2), seen))
    assert {"loss_camera", "loss_conf_depth", "loss_conf_point", "loss_track", "loss_vis"} <= set(
        found.details
    )
    parts = -0.2 * math.log(1.5) * 2 + found.details["loss_grad_point"] + 0.05 * (1 + math.log(2))
    assert float(found.value) == pytest.approx(parts, abs=1e-5)


@pytest.mark.parametrize("part", ["encodings", "depth"])
def test_a_missing_part_is_named(part):
    true = truth()
    with pytest.raises(UserError, match="VggtLoss needs"):
        VggtLoss().evaluate(replace(exact(true), **{part: None}), true)


def test_a_loss_without_parts_is_refused():
    with pytest.raises(UserError, match="trains nothing"):
        VggtLoss(None, None).evaluate(exact(truth()), truth())


def test_later_iterations_count_for_more_and_the_sum_is_divided_by_their_number():
    true, output = truth(), exact(truth())
    off = output.encodings[0].clone()
    off[..., :3] += 1
    early, late = (
        CameraLoss().evaluate(pair, true).details["loss_T"]
        for pair in ((off, output.encodings[0]), (output.encodings[0], off))
    )
    assert early == pytest.approx(0.6 / 2)
    assert late == pytest.approx(1 / 2)


def test_scenes_whose_first_frame_shows_nothing_do_not_count():
    true = truth()
    valid = true.valid.clone()
    valid[1, 0] = False
    true = replace(true, valid=valid)
    encoding = exact(true).encodings[0].clone().requires_grad_()
    moved = encoding + torch.tensor([0.0, 5.0])[:, None, None]
    assert CameraLoss().evaluate([moved], true).details["loss_camera"] == 0
    none = CameraLoss().evaluate([encoding + 1], replace(true, valid=torch.zeros_like(valid)))
    assert float(none.value.detach()) == 0
    none.value.backward()
    assert (encoding.grad == 0).all()


def plain_dense(dense: Dense, true: torch.Tensor, valid: torch.Tensor) -> tuple[float, float]:
    by_conf, regression = [], []
    for index in valid.nonzero().tolist():
        distance = float((dense.values[tuple(index)] - true[tuple(index)]).norm())
        conf = float(dense.conf[tuple(index)])
        regression.append(distance)
        by_conf.append(distance * conf - 0.2 * math.log(conf))
    return sum(by_conf) / len(by_conf), sum(regression) / len(regression)


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_a_dense_loss_is_a_mean_over_the_valid_pixels(seed):
    true = truth(seed)
    generator = torch.Generator().manual_seed(seed)
    dense = Dense(
        torch.randn(true.world_points.shape, generator=generator),
        1 + torch.rand(true.depth.shape, generator=generator),
    )
    found = DenseLoss("point", None).evaluate(dense, true.world_points, true.valid).details
    by_conf, regression = plain_dense(dense, true.world_points, true.valid)
    assert found["loss_conf_point"] == pytest.approx(by_conf, rel=1e-5)
    assert found["loss_reg_point"] == pytest.approx(regression, rel=1e-5)
    assert found["loss_grad_point"] == 0


@pytest.mark.parametrize(
    "neighbours", [DifferenceTerm(), DifferenceTerm(weighted=True), NormalTerm(), NormalTerm(weighted=True)]
)
def test_what_is_not_valid_is_not_read_and_has_no_gradient(neighbours):
    true = truth()
    losses, gradients = [], []
    for fill in (0.0, torch.nan):
        points = torch.where(true.valid[..., None], true.world_points, fill)
        values = torch.where(
            true.valid[..., None], true.world_points + 0.3 * true.world_points.sin(), fill
        ).requires_grad_()
        loss = DenseLoss("point", neighbours).evaluate(Dense(values, 1 + true.depth), points, true.valid)
        loss.value.backward()
        losses.append(float(loss.value.detach()))
        gradients.append(values.grad)
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert (gradients[1][~true.valid] == 0).all()
    assert_close(*gradients)


def test_too_few_pixels_give_zero_with_a_gradient_path():
    true = truth()
    values = true.depth[..., None].clone().requires_grad_()
    valid = torch.zeros_like(true.valid)
    valid[0, 0, :9, :11] = True
    loss = DenseLoss("depth").evaluate(Dense(values + 1, true.depth), true.depth[..., None], valid)
    assert float(loss.value.detach()) == 0
    loss.value.backward()
    assert (values.grad == 0).all()


def test_normals_of_depth_are_refused():
    true = truth()
    with pytest.raises(UserError, match="normals need points"):
        DenseLoss("depth", NormalTerm()).evaluate(
            Dense(true.depth[..., None], true.depth), true.depth[..., None], true.valid
        )


def test_a_constant_error_costs_no_differences():
    true = torch.rand(1, 8, 9, 2)
    valid = torch.rand(1, 8, 9, generator=torch.Generator().manual_seed(0)) < 0.7
    assert float(difference_loss(true + 3, true, valid)) == pytest.approx(0, abs=1e-6)


def test_a_plane_has_its_own_normal_everywhere():
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    plane = torch.stack([x, y, 0.5 * x], -1)[None]
    found, valid = normals(plane, torch.ones(1, 5, 6, dtype=torch.bool))
    expected = torch.tensor([-0.5, 0, 1]) / math.sqrt(1.25)
    assert valid.sum() == 4 * 4 * 5
    assert_close(found[valid].abs(), expected.abs().expand(int(valid.sum()), 3))
    assert (found[valid][:, 2] < 0).unique().numel() == 1


@settings(max_examples=30)
@given(st.integers(2, 60), st.floats(0, 1))
def test_the_nearest_rank_is_one_of_the_values(count, share):
    values = torch.rand(count, generator=torch.Generator().manual_seed(count))
    assert float(nearest_rank(values, share)) == float(values.sort().values[round(share * (count - 1))])


def test_outliers_are_dropped_only_from_many_values():
    values = torch.arange(1001.0) / 10
    assert len(without_outliers(values[:1000], 0.5)) == 1000
    assert len(without_outliers(values, 0.98)) == 1001  # too few would be left
    kept = without_outliers(torch.arange(3000.0) / 40, 0.98)
    assert len(kept) == round(0.98 * 2999)
    clamped = without_outliers(torch.arange(3000.0) / 10, 0.98)
    assert len(clamped) == 3000  # only 1000 values are below 100
    assert clamped.max() == 100


def test_what_is_not_finite_becomes_zero_without_gradient():
    values = torch.tensor([torch.nan, torch.inf, -5.0, 300.0, 3.0], requires_grad=True)
    found = bounded(values)
    assert found.tolist() == [0, 0, -5, 100, 3]
    found.sum().backward()
    assert values.grad.tolist() == [0, 0, 1, 0, 1]


def tracks_of(seed: int) -> tuple[Tracks, TrackTruth]:
    generator = torch.Generator().manual_seed(seed)
    xy = tuple(3 * torch.randn(2, 3, 6, 2, generator=generator) for _ in range(2))
    logits = torch.randn(2, 2, 3, 6, generator=generator)
    return Tracks(xy, logits[0], logits[1]), TrackTruth(
        torch.zeros(2, 3, 6, 2), torch.rand(2, 3, 6, generator=generator) < 0.7
    )


def test_a_track_counts_where_it_is_seen_if_it_is_seen_in_the_first_frame():
    tracks, true = tracks_of(0)
    position, seen, right = 0.0, [], []
    for k, xy in enumerate(tracks.iterations):
        off = [
            float(xy[b, s, n].abs().mean())
            for b in range(2)
            for s in range(3)
            for n in range(6)
            if true.visible[b, 0, n] and true.visible[b, s, n]
        ]
        position += 0.8 ** (1 - k) / 2 * sum(off) / len(off)
    for b, s, n in ((b, s, n) for b in range(2) for s in range(3) for n in range(6) if true.visible[b, 0, n]):
        p, q = (float(logit[b, s, n].sigmoid()) for logit in (tracks.visible_logit, tracks.conf_logit))
        seen.append(-math.log(p if true.visible[b, s, n] else 1 - p))
        right.append(-math.log(q if tracks.xy[b, s, n].norm() < 3 else 1 - q))
    found = TrackLoss().evaluate(tracks, true)
    expected = {
        "loss_track": position,
        "loss_vis": sum(seen) / len(seen),
        "loss_conf": sum(right) / len(right),
    }
    assert found.details == pytest.approx(expected, rel=1e-5)
    assert float(found.value) == pytest.approx(sum(expected.values()), rel=1e-5)


def test_tracks_that_nobody_sees_cost_nothing():
    tracks, true = tracks_of(0)
    hidden = TrackTruth(true.xy, torch.zeros_like(true.visible))
    assert float(TrackLoss().evaluate(tracks, hidden).value) == 0
