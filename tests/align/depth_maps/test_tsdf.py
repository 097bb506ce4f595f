from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from posed_views import MASK, noisy, posed
from small_predictions import DEPTHS

from align.depth_maps.tsdf import Field, PublishedTsdf, query, refine_depths
from masks.progress import silent


def test_signed_distance_is_positive_in_front_and_cut_off_behind():
    views = posed()
    field = Field(views.dense, views.K, views.cam_from_world, 0.1)
    centre = torch.linalg.inv(views.cam_from_world[2])[:3, 3]
    ray = views.dense[2].points[16, 24] - centre
    value, seen = query(field, centre + ray * torch.tensor([[0.95], [1.0], [1.02], [1.5]]))
    assert value[0] > 0.1
    assert abs(value[1]) < 0.02
    assert -0.1 <= value[2] < -0.02
    assert seen.tolist() == [True, True, True, False]
    assert value[3] == 0


def test_refinement_brings_noisy_depths_closer_to_the_truth():
    rough = noisy(0.005)
    result = PublishedTsdf(0.05, samples=40).depths(posed(rough), silent)
    before, after = (
        np.mean([float((one - true).abs()[8:-8, 8:-8].mean()) for one, true in zip(depths, DEPTHS)])
        for depths in (rough, [view.depth for view in result.dense])
    )
    assert after < 0.8 * before


def test_equal_seeds_give_equal_depths_and_no_threshold_leaves_them():
    views = posed(noisy())
    options = [PublishedTsdf(0.05, samples=8, seed=seed) for seed in (0, 0, 1)]
    one, again, other = (each.depths(views, silent).dense[1].depth for each in options)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert PublishedTsdf(0.0).depths(views, silent).dense == views.dense


def test_samples_of_a_pixel_do_not_depend_on_the_mask():
    """The view alone: what it says of its own pixels is not what others say."""
    views = posed(noisy())
    alone = replace(
        views, dense=views.dense[:1], K=views.K[:1], cam_from_world=views.cam_from_world[:1], names=("0.jpg",)
    )
    masked = replace(
        alone, dense=(replace(views.dense[0], depth=torch.where(MASK, views.dense[0].depth, torch.nan)),)
    )
    options = PublishedTsdf(1e-4, samples=8)
    whole, part = (options.depths(each, silent).dense[0].depth for each in (alone, masked))
    torch.testing.assert_close(whole[MASK], part[MASK], rtol=0, atol=0)


def test_later_rounds_look_closer_and_start_from_the_earlier_ones():
    views = posed(noisy())
    field = Field(views.dense, views.K, views.cam_from_world, 0.02)
    # The only sample is taken, wherever it is: half a threshold behind, of twice the threshold at first.
    refined = refine_depths(field, lambda view, row: torch.full((48, 1), 1.5), rounds=2)
    torch.testing.assert_close(refined[0].depth, views.dense[0].depth + 0.02 + 0.01)
