from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from posed_views import MASK, noisy, posed
from small_predictions import DEPTHS, NUM_VIEWS
from small_scene import HEIGHT, WIDTH

from align.depth_maps.matched_depth import PUBLISHED_MATCHED_DEPTH, MatchedDepth
from align.depth_maps.source import Posed
from align.depth_maps.triangulation import matches_to_depth
from masks.errors import UserError
from masks.progress import silent
from pairs.prediction.predictions import NO_MATCHES, Matches, select_matches

SPARSE = MatchedDepth(block=None)


def test_exact_matches_give_the_true_depths_of_their_pixels_and_no_others():
    result = SPARSE.depths(posed(noisy()), silent)
    for k, (view, true) in enumerate(zip(result.dense, DEPTHS)):
        matched = torch.isfinite(view.depth)
        assert 0.1 < matched.double().mean() < 0.9
        if k == 0:
            # The only view whose every match starts at a whole pixel: of the others some lie between pixels.
            torch.testing.assert_close(view.depth[matched], true[matched], rtol=1e-9, atol=0)
        assert ((view.depth / true - 1)[matched].abs() < 0.02).all()


def test_a_block_hangs_on_its_matches_by_the_aligners_shape():
    wrong = [depth * scale for depth, scale in zip(DEPTHS, (1.1, 0.9, 1.2, 1.0, 0.8))]
    result = MatchedDepth().depths(posed(wrong), silent)
    for view, true in zip(result.dense, DEPTHS):
        covered = torch.isfinite(view.depth)
        assert covered.double().mean() > 0.9
        assert ((view.depth / true - 1)[covered].abs()).median() < 2e-3
    assert result.figures is not None
    assert result.figures["matches with a point"] == result.figures["matches"]


def test_a_block_without_a_match_has_no_depth():
    views = posed()
    off = {
        pair: select_matches(m, ((m.xy_a.round() >= 8) & (m.xy_b.round() >= 8)).any(1))
        for pair, m in views.matches.items()
    }
    for view in MatchedDepth().depths(replace(views, matches=off), silent).dense:
        assert view.depth[:8, :8].isnan().all()
        assert torch.isfinite(view.depth[8:24, 8:40]).any()


def test_pixels_off_the_object_or_without_a_depth_get_none():
    result = MatchedDepth().depths(posed(mask=MASK), silent)
    for view in result.dense:
        assert not torch.isfinite(view.depth[~MASK]).any()


def test_wrong_matches_and_those_behind_a_camera_do_not_count():
    views = posed()
    spoiled = {}
    for pair, matches in views.matches.items():
        xy_b = matches.xy_b.copy()
        xy_b[::3, 1] += 9  # off the epipolar line
        spoiled[pair] = replace(matches, xy_b=xy_b)
    result = SPARSE.depths(replace(views, matches=spoiled), silent)
    for view, true in zip(result.dense, DEPTHS):
        matched = torch.isfinite(view.depth)
        assert ((view.depth / true - 1)[matched].abs() < 0.02).all()
    turned = torch.diag(torch.tensor([-1.0, 1, -1, 1], dtype=torch.float64))
    figures = SPARSE.depths(replace(views, cam_from_world=turned @ views.cam_from_world), silent).figures
    assert figures is not None
    assert figures["matches with a point"] == 0


def test_rays_that_hardly_cross_give_no_depth():
    views = posed()
    # Ten degrees lie between neighbours, forty between the first and the last.
    result = MatchedDepth(least_angle_deg=45).depths(views, silent)
    assert result.figures is not None
    assert result.figures["matches with a point"] == 0
    some = MatchedDepth(least_angle_deg=15).depths(views, silent).figures
    assert some is not None
    assert 0 < some["matches with a point"] < some["matches"]


def test_a_view_with_few_matches_keeps_the_aligners_depths_and_is_named():
    views = posed(noisy())
    few = {
        pair: select_matches(m, np.arange(len(m.conf)) < (3 if 4 in pair else 10**6))
        for pair, m in views.matches.items()
    }
    result = MatchedDepth().depths(replace(views, matches=few), silent)
    assert torch.equal(result.dense[4].depth, views.dense[4].depth)
    assert [notice.subject for notice in result.notices] == ["depth", "4.jpg"]
    assert "keeps the aligner's depths" in result.notices[1].text


def test_the_unit_of_the_world_does_not_matter():
    small, large = (MatchedDepth().depths(posed(noisy(), scale), silent) for scale in (1.0, 1000.0))
    for one, other in zip(small.dense, large.dense):
        torch.testing.assert_close(1000 * one.depth, other.depth, rtol=1e-9, atol=0, equal_nan=True)


@pytest.mark.parametrize("matches", [{}, {(0, 1): NO_MATCHES, (1, 2): NO_MATCHES}])
def test_without_matches_the_remedy_is_named(matches):
    with pytest.raises(UserError, match="`depth=tsdf`"):
        MatchedDepth().depths(replace(posed(), matches=matches), silent)


def test_the_published_depths_are_those_of_whole_maps_of_matches():
    views = whole_pixels(posed())
    result = PUBLISHED_MATCHED_DEPTH.depths(views, silent)
    for k in range(NUM_VIEWS):
        order = [k, *(other for other in range(NUM_VIEWS) if other != k)]
        maps = torch.full((1, NUM_VIEWS - 1, HEIGHT, WIDTH, 5), torch.nan, dtype=torch.float64)
        for (a, b), m in views.matches.items():
            for own, other, xy, there in ((a, b, m.xy_a, m.xy_b), (b, a, m.xy_b, m.xy_a)):
                if own == k:
                    x, y = xy.astype(int).T
                    both = np.concatenate([xy, there, m.conf[:, None]], 1)
                    maps[0, order.index(other) - 1, y, x] = torch.from_numpy(both)
        expected = matches_to_depth(views.K[order][None], views.cam_from_world[order][None], maps).depth[0]
        assert torch.isfinite(expected).any()
        torch.testing.assert_close(result.dense[k].depth, expected, rtol=1e-9, atol=0, equal_nan=True)


def whole_pixels(views: Posed) -> Posed:
    """Return the views with matches of whole pixels, each pixel in one match of a pair."""
    whole = {}
    for pair, matches in views.matches.items():
        xy_a, xy_b = matches.xy_a.round(), matches.xy_b.round()
        first = [np.unique(xy, axis=0, return_index=True)[1] for xy in (xy_a, xy_b)]
        keep = np.intersect1d(first[0], first[1])
        whole[pair] = Matches(xy_a[keep], xy_b[keep], matches.conf[keep])
    return replace(views, matches=whole)
