"""Two views by one pair. Both pairs of these problems agree with the truth exactly."""

from dataclasses import replace

import pytest
import torch
from seen_dense import SIZES, discs, masked, seen

from align.dense.options import DenseOptions
from align.dense.two_views import place_two_views
from masks.errors import GraphError

OPTIONS = DenseOptions()
BOTH = [(1, 0), (0, 1)]


@pytest.mark.parametrize("better", [0, 1])
def test_the_more_confident_pair_places_the_other_camera(better: int) -> None:
    problem, truth = seen(SIZES[:2], BOTH)
    pairs = [
        replace(pair, conf_i=pair.conf_i + 3 * (edge[0] == better))
        for edge, pair in zip(problem.edges, problem.pairs)
    ]
    scene = place_two_views(replace(problem, pairs=pairs), OPTIONS, {})
    torch.testing.assert_close(scene.world_from_cam[better], torch.eye(4))
    other = 1 - better
    expected = torch.linalg.inv(truth.world_from_cam[better]) @ truth.world_from_cam[other]
    torch.testing.assert_close(scene.world_from_cam[other, :3, :3], expected[:3, :3], atol=2e-3, rtol=0)
    scale = (scene.depth[better] / truth.depth[better]).mean()
    for found, depth in zip(scene.depth, truth.depth):
        torch.testing.assert_close(found / scale, depth, rtol=5e-3, atol=0)
    torch.testing.assert_close(scene.K[:, 0, 0], truth.focals, rtol=1e-3, atol=0)
    assert scene.scores[better] > scene.scores[other]


@pytest.mark.parametrize("junk", [1e6, torch.nan])
def test_nothing_behind_a_mask_counts_and_it_has_no_depth(junk: float) -> None:
    problem, _ = seen(SIZES[:2], BOTH)
    masks = discs()
    clean, dirty = (place_two_views(masked(problem, masks, fill), OPTIONS, {}) for fill in (0.0, junk))
    for name in ("scores", "world_from_cam", "K"):
        assert torch.equal(getattr(clean, name), getattr(dirty, name))
    for a, b, mask in zip(clean.depth, dirty.depth, masks):
        torch.testing.assert_close(a, b, equal_nan=True, atol=0, rtol=0)
        assert torch.equal(a.isfinite(), mask)


def test_without_confident_pixels_both_cameras_stand_in_one_place_and_the_report_says_so() -> None:
    problem, _ = seen(SIZES[:2], BOTH)
    scene = place_two_views(problem, replace(OPTIONS, min_conf=50.0), {})
    assert torch.equal(scene.world_from_cam, torch.eye(4).repeat(2, 1, 1))
    assert scene.notices[0].subject in problem.names


def test_other_numbers_of_views_one_direction_and_an_empty_mask_are_errors() -> None:
    with pytest.raises(GraphError, match="4 views"):
        place_two_views(seen()[0], OPTIONS, {})
    with pytest.raises(GraphError, match="2 views and 1 predictions"):
        place_two_views(seen(SIZES[:2], BOTH[:1])[0], OPTIONS, {})
    problem, _ = seen(SIZES[:2], BOTH)
    masks = discs()
    masks[1] = torch.zeros_like(masks[1])
    with pytest.raises(GraphError, match="fewer than three pixels"):
        place_two_views(masked(problem, masks), OPTIONS, {})
