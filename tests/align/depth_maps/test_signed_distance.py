from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from posed_views import MASK, noisy, posed
from small_predictions import DEPTHS
from torch import Tensor

from align.depth_maps.dense_view import DenseView
from align.depth_maps.signed_distance import SignedDistance
from align.pinhole import backproject
from masks.progress import silent


def refined(views, options: SignedDistance | None = None) -> list[Tensor]:
    return [view.depth for view in (options or SignedDistance()).depths(views, silent).dense]


def error(depths, inside=slice(6, -6)) -> float:
    return float(
        torch.stack(
            [(found / true - 1)[inside, inside].abs().mean() for found, true in zip(depths, DEPTHS)]
        ).mean()
    )


def test_noisy_surfaces_get_flatter_and_closer_to_the_truth():
    rough = noisy()
    assert error(refined(posed(rough))) < 0.6 * error(rough)


def test_true_depths_stay():
    assert error(refined(posed())) < 2e-4


def test_smooth_errors_of_a_view_are_mended_by_the_others():
    wrong = [depth * (1.01 if k == 2 else 1) for k, depth in enumerate(DEPTHS)]
    mended = refined(posed(wrong), SignedDistance(band=0.02))
    before, after = ((depths[2] / DEPTHS[2] - 1)[6:-6, 6:-6].abs().mean() for depths in (wrong, mended))
    assert after < 0.4 * before


@pytest.mark.parametrize("band", [None, 0.02])
def test_the_unit_of_the_world_does_not_matter(band):
    small, large = (refined(posed(noisy(), scale), SignedDistance(band=band)) for scale in (1.0, 1000.0))
    for one, other in zip(small, large):
        torch.testing.assert_close(1000 * one, other, rtol=1e-9, atol=0)


def test_confidences_off_the_object_do_not_count():
    views = posed(noisy(), mask=MASK)
    spoiled = [replace(view, conf=torch.where(MASK, view.conf, torch.nan)) for view in views.dense]
    for one, other in zip(refined(views), refined(replace(views, dense=tuple(spoiled)))):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def test_a_view_without_confidence_moves_no_other_to_itself():
    views = posed([depth * (1.02 if k == 2 else 1) for k, depth in enumerate(DEPTHS)])
    middle = replace(views.dense[2], conf=torch.zeros_like(views.dense[2].conf))
    silenced = replace(views, dense=(*views.dense[:2], middle, *views.dense[3:]))
    pulled, free = (refined(each, SignedDistance(0.05)) for each in (views, silenced))
    for k in (1, 3):
        assert (free[k] / DEPTHS[k] - 1).abs().mean() < 0.3 * (pulled[k] / DEPTHS[k] - 1).abs().mean()


def test_what_no_other_view_sees_keeps_its_depth_to_the_bit():
    views = posed(noisy())
    alone = replace(
        views, dense=(views.dense[0], *(replace(v, depth=v.depth * torch.nan) for v in views.dense[1:]))
    )
    result = SignedDistance().depths(alone, silent)
    assert torch.equal(result.dense[0].depth, views.dense[0].depth)
    assert result.figures is not None
    assert result.figures["share of pixels refined"] == 0


def test_one_view_is_no_trouble():
    views = posed(noisy())
    single = replace(
        views,
        names=views.names[:1],
        dense=views.dense[:1],
        K=views.K[:1],
        cam_from_world=views.cam_from_world[:1],
    )
    assert torch.equal(refined(single)[0], views.dense[0].depth)


def test_views_without_any_depth_give_none():
    views = posed([depth * torch.nan for depth in DEPTHS])
    assert all(depth.isnan().all() for depth in refined(views))


def test_points_follow_the_depths_and_confidences_stay():
    views = posed(noisy(), mask=MASK)
    result = SignedDistance().depths(views, silent)
    for k, (view, before) in enumerate(zip(result.dense, views.dense)):
        expected = backproject(view.depth, views.K[k], torch.linalg.inv(views.cam_from_world[k]))
        torch.testing.assert_close(view.points, expected, equal_nan=True)
        assert torch.equal(view.conf, before.conf)


def test_the_band_follows_the_disagreement_and_the_figures_tell_it():
    bands = []
    for share in (0.002, 0.006):
        result = SignedDistance().depths(posed(noisy(share)), silent)
        assert result.figures is not None
        assert result.figures["source"] == "tsdf"
        assert 0.9 < result.figures["share of pixels refined"] <= 1
        bands.append(result.figures["band"])
    assert 2.4 < bands[1] / bands[0] < 3.6
    assert f"within {100 * bands[1]:.2g} %" in result.notices[0].text


def test_the_fixed_point_is_where_the_plain_field_is_zero():
    """A plain loop over samples along one ray finds the same place."""
    views, options = posed(noisy()), SignedDistance(band=0.02, rounds=30)
    found = refined(views, options)[2]
    y, x = 15, 24
    samples = torch.linspace(0.994, 1.006, 1201, dtype=torch.float64) * views.dense[2].depth[y, x]
    value = [_plain_distance(views, 2, x, y, float(depth), 0.02) for depth in samples]
    zero = samples[np.abs(value).argmin()]
    assert abs(float(found[y, x] / zero) - 1) < 2e-5


def _plain_distance(views, own: int, x: int, y: int, depth: float, band: float) -> float:
    ray = torch.linalg.inv(views.K[own]) @ torch.tensor([x, y, 1.0]).double()
    world = torch.linalg.inv(views.cam_from_world[own]) @ torch.cat([ray * depth, torch.ones(1)])
    total = weight = 0.0
    for k, view in enumerate(views.dense):
        if k == own:
            distance, conf = 1 - depth / view.depth[y, x], view.conf[y, x]
        else:
            seen = views.K[k] @ (views.cam_from_world[k] @ world)[:3]
            u, v = (seen[:2] / seen[2]).tolist()
            distance, conf = 1 - seen[2] / _between_pixels(view, u, v), _nearest_conf(view, u, v)
        if k == own or abs(distance) <= band:
            total, weight = total + conf * distance, weight + conf
    return float(total / weight)


def _between_pixels(view: DenseView, x: float, y: float) -> Tensor:
    height, width = view.depth.shape
    if not (0 <= x < width - 1 and 0 <= y < height - 1):
        return torch.tensor(torch.nan)
    i, j = int(y), int(x)
    (a, b), (c, d) = view.depth[i : i + 2, j : j + 2]
    upper, lower = a + (b - a) * (x - j), c + (d - c) * (x - j)
    return upper + (lower - upper) * (y - i)


def _nearest_conf(view: DenseView, x: float, y: float) -> Tensor:
    height, width = view.conf.shape
    return view.conf[min(max(round(y), 0), height - 1), min(max(round(x), 0), width - 1)]
