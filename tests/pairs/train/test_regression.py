from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close
from train_batches import batch_of, rigid

from masks.errors import UserError
from pairs.train.batch import PairBatch
from pairs.train.loss import WeightedSum
from pairs.train.regression import CLASS_NAMES, ConfLoss, Regr3D, pixel_losses

RNG = np.random.default_rng(0)
EVERY_KIND = [
    Regr3D(),
    Regr3D(None),
    Regr3D("median_dis", gt_scale=True),
    Regr3D("avg_dis", keep_metric=True),
    Regr3D("avg_dis", keep_metric=True, log="after"),
    Regr3D("avg_warp-log1p", log="before"),
    Regr3D("sqrt_dis", free="shift"),
    Regr3D("avg_log1p", free="scale"),
    Regr3D(gt_scale=True, free="scale and shift"),
]


def plain_loss(batch: PairBatch) -> float:
    """Return Regr3D with mean distances, pixel by pixel and pair by pair."""
    losses = {0: [], 1: []}
    for pair in range(len(batch.a.points)):
        a_from_world = torch.linalg.inv(batch.truth.a.world_from_cam[pair].double())
        predicted, true = [], []
        for k, (output, truth) in enumerate(((batch.a, batch.truth.a), (batch.b, batch.truth.b))):
            for row, column in truth.valid[pair].nonzero().tolist():
                predicted.append((k, output.points[pair, row, column].double()))
                world = torch.cat(
                    [truth.points[pair, row, column].double(), torch.ones(1, dtype=torch.float64)]
                )
                true.append((a_from_world @ world)[:3])
        size_predicted = sum(float(p.norm()) for _, p in predicted) / len(predicted)
        size_true = sum(float(p.norm()) for p in true) / len(true)
        for (k, p), t in zip(predicted, true, strict=True):
            losses[k].append(float((p / size_predicted - t / size_true).norm()))
    return sum(sum(values) / len(values) for values in losses.values())


def test_the_vectorised_loss_is_the_plain_one():
    for seed in range(3):
        batch = batch_of(seed)
        assert float(Regr3D().evaluate(batch, RNG).value) == pytest.approx(plain_loss(batch), abs=2e-5)


@pytest.mark.parametrize("regression", EVERY_KIND)
def test_what_is_true_of_an_invalid_pixel_moves_no_loss_and_no_gradient(regression):
    batch = batch_of(4)
    spoilt = torch.where(batch.truth.a.valid[..., None], batch.truth.a.points, torch.nan)
    other = replace(batch, truth=replace(batch.truth, a=replace(batch.truth.a, points=spoilt)))
    gradients = []
    for given_batch in (batch, other):
        points = given_batch.a.points.clone().requires_grad_()
        regression.evaluate(
            replace(given_batch, a=replace(given_batch.a, points=points)), RNG
        ).value.backward()
        gradients.append(points.grad)
    assert gradients[0].isfinite().all()
    assert torch.equal(*gradients)
    assert (gradients[0][~batch.truth.a.valid] == 0).all()


@given(seed=st.integers(0, 30))
def test_moving_the_world_changes_nothing(seed):
    batch = batch_of(seed)
    motion = rigid(torch.Generator().manual_seed(seed + 1000), 2)

    def moved(view):
        points = torch.einsum("bij,bhwj->bhwi", motion[:, :3, :3], view.points) + motion[:, None, None, :3, 3]
        return replace(view, world_from_cam=motion @ view.world_from_cam, points=points)

    other = replace(batch, truth=replace(batch.truth, a=moved(batch.truth.a), b=moved(batch.truth.b)))
    assert_close(
        Regr3D().evaluate(other, RNG).value, Regr3D().evaluate(batch, RNG).value, atol=1e-4, rtol=1e-4
    )


def test_only_metric_samples_notice_the_scale_of_the_prediction():
    batch = batch_of(6)
    larger = replace(
        batch, a=replace(batch.a, points=2 * batch.a.points), b=replace(batch.b, points=2 * batch.b.points)
    )
    spared = Regr3D(keep_metric=True)
    per_sample = []
    for given_batch in (batch, larger):
        pixels = pixel_losses(spared, given_batch)
        sample = pixels.mask_a.nonzero()[:, 0]
        per_sample.append([pixels.a[sample == k] for k in range(2)])
    assert not torch.allclose(per_sample[0][0], per_sample[1][0])
    assert_close(per_sample[0][1], per_sample[1][1])


def test_a_prediction_equal_to_the_truth_costs_nothing_in_every_variant():
    batch = batch_of(7)
    exact = []
    a_from_world = torch.linalg.inv(batch.truth.a.world_from_cam)
    for view in (batch.truth.a, batch.truth.b):
        exact.append(
            torch.einsum("bij,bhwj->bhwi", a_from_world[:, :3, :3], view.points)
            + a_from_world[:, None, None, :3, 3]
        )
    same = replace(batch, a=replace(batch.a, points=exact[0]), b=replace(batch.b, points=exact[1]))
    for free in CLASS_NAMES:
        assert float(Regr3D(free=free).evaluate(same, RNG).value) < 1e-5


def test_a_view_without_valid_pixels_adds_nothing():
    batch = batch_of(8)
    nothing = torch.zeros_like(batch.truth.b.valid)
    empty = replace(batch, truth=replace(batch.truth, b=replace(batch.truth.b, valid=nothing)))
    result = Regr3D().evaluate(empty, RNG)
    assert result.value.isfinite()
    assert result.details["Regr3D_pts3d_2"] == 0


def test_sky_costs_a_constant_and_pulls_at_no_point():
    batch = batch_of(9)
    points = batch.a.points.clone().requires_grad_()
    pixels = pixel_losses(Regr3D(sky_loss_value=2.0), replace(batch, a=replace(batch.a, points=points)))
    sky = (batch.truth.a.sky & ~batch.truth.a.valid)[pixels.mask_a]
    assert sky.any()
    assert (pixels.a[sky] == 2).all()
    pixels.a.sum().backward()
    assert (points.grad[batch.truth.a.sky & ~batch.truth.a.valid] == 0).all()


def test_sky_outside_a_loss_per_pixel_is_refused():
    with pytest.raises(UserError, match="ConfLoss"):
        Regr3D(sky_loss_value=2.0).evaluate(batch_of(0), RNG)


def test_a_limit_for_metric_samples_needs_metric_samples():
    with pytest.raises(UserError, match="max_metric_scale"):
        Regr3D(max_metric_scale=10.0)


def test_a_batch_without_truth_says_what_is_missing():
    with pytest.raises(UserError, match="Regr3D needs the true geometry"):
        Regr3D().evaluate(replace(batch_of(0), truth=None), RNG)


def test_confidence_weighs_and_is_rewarded():
    batch = batch_of(3)
    pixels = pixel_losses(Regr3D(), batch)
    conf_a, conf_b = batch.a.conf[pixels.mask_a], batch.b.conf[pixels.mask_b]
    expected = (pixels.a * conf_a - 0.2 * conf_a.log()).mean() + (
        pixels.b * conf_b - 0.2 * conf_b.log()
    ).mean()
    assert_close(ConfLoss(Regr3D(), 0.2).evaluate(batch, RNG).value, expected)


def test_a_sum_weighs_its_losses_and_keeps_all_details():
    batch = batch_of(2)
    parts = (Regr3D(), ConfLoss(Regr3D(free="shift"), 0.5))
    values = [part.evaluate(batch, RNG) for part in parts]
    total = WeightedSum(((2.0, parts[0]), (-1.0, parts[1]))).evaluate(batch, RNG)
    assert_close(total.value, 2 * values[0].value - values[1].value)
    assert dict(total.details) == {**values[0].details, **values[1].details}
