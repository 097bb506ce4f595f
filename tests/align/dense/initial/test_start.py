"""The start from a spanning tree. Every pair of these problems agrees with the truth exactly."""

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seen_dense import COMPLETE, SIZES, Truth, discs, masked, seen

from align.dense.initial.presets import Presets, with_presets
from align.dense.initial.registration import register_cameras
from align.dense.initial.spanning_tree import pair_scores, parts
from align.dense.initial.start import DenseStart, start_from_tree
from align.dense.objective import loss
from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import (
    focals,
    pair_scales,
    random_parameters,
    view_poses,
)
from align.dense.problem import DenseProblem
from align.dense.terms import gather_terms
from masks.errors import GraphError

OPTIONS = DenseOptions()


def started(
    problem: DenseProblem, presets: Presets | None = None, options: DenseOptions = OPTIONS
) -> DenseStart:
    presets = presets or Presets()
    drawn = random_parameters(problem.sizes, len(problem.edges), options)
    given = with_presets(drawn, presets, problem, options)
    return start_from_tree(problem, options, given, presets.frozen)


def leaves(parameters: DenseParameters) -> list[torch.Tensor]:
    named = [getattr(parameters, field.name) for field in fields(parameters) if field.name != "log_depth"]
    return [*named, *parameters.log_depth]


def assert_true(truth: Truth, start: DenseStart) -> None:
    """Assert that cameras and depths are those of the truth in a world of another scale."""
    poses = view_poses(start.parameters.poses)
    move = register_cameras(poses, truth.world_from_cam)
    assert move is not None
    turned = move.R.float() @ poses[:, :3, :3]
    torch.testing.assert_close(turned, truth.world_from_cam[:, :3, :3], atol=5e-3, rtol=0)
    for view in range(len(poses)):
        depth = start.parameters.log_depth[view].exp() * move.scale.float()
        present = start.parameters.log_depth[view] != 0
        torch.testing.assert_close(depth[present], truth.depth[view][present], rtol=2e-2, atol=0)


@pytest.mark.parametrize("seed", range(3))
def test_pairs_that_agree_lead_to_the_truth_whatever_their_sizes_and_scales(seed: int) -> None:
    problem, truth = seen(seed=seed)
    start = started(problem)
    assert_true(truth, start)
    found = focals(start.parameters.log_focals, OPTIONS)[:, 0]
    # A tree takes focals of views from neighbours', until the descent mends them: within the lenses here.
    assert ((found / truth.focals - 1).abs() < 0.6).all()
    scales = pair_scales(start.parameters.pair_poses, OPTIONS, normalised=True)
    torch.testing.assert_close(scales.log().mean().exp().item(), OPTIONS.base_scale)
    assert not start.notices


@settings(max_examples=10)
@given(st.integers(0, 2**31), st.sampled_from([1e6, -3.0, torch.nan, torch.inf]))
def test_nothing_behind_a_mask_counts(seed: int, junk: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    problem, _ = seen()
    masks = [torch.rand(size, generator=generator) > 0.5 for size in problem.sizes]
    clean = started(masked(problem, masks))
    dirty = started(masked(problem, masks, junk))
    for a, b in zip(leaves(clean.parameters), leaves(dirty.parameters)):
        assert torch.equal(a, b)
    for depth, mask in zip(clean.parameters.log_depth, masks):
        assert (depth[~mask] == 0).all()


def test_a_backdrop_that_contradicts_the_object_does_not_count_where_a_mask_says_so() -> None:
    problem, truth = seen()
    masks = discs()
    still = [
        replace(
            pair,
            points_i=torch.where(masks[i][..., None], pair.points_i, 7.0),
            points_j=torch.where(masks[j][..., None], pair.points_j, -3.0),
        )
        for (i, j), pair in zip(problem.edges, problem.pairs)
    ]
    start = started(masked(replace(problem, pairs=still), masks, junk=5.0))
    assert_true(truth, start)


def test_pairs_are_ranked_by_the_pixels_that_are_present() -> None:
    problem, _ = seen()
    masks = discs()
    expected = [
        float(pair.conf_i[masks[i]].double().mean() * pair.conf_j[masks[j]].double().mean())
        for (i, j), pair in zip(problem.edges, problem.pairs)
    ]
    assert pair_scores(masked(problem, masks)).tolist() == pytest.approx(expected, rel=1e-6)


def test_separate_parts_are_named() -> None:
    problem, _ = seen(edges=[(0, 1), (1, 0), (2, 3)])
    with pytest.raises(GraphError, match=r"photo0.jpg, photo1.jpg; photo2.jpg, photo3.jpg"):
        started(problem)


def test_a_view_without_pixels_stands_alone() -> None:
    problem, _ = seen()
    masks = discs()
    masks[2] = torch.zeros_like(masks[2])
    empty = masked(problem, masks)
    assert parts(empty, pair_scores(empty)) == [[0, 1, 3], [2]]
    with pytest.raises(GraphError, match=r"photo0.jpg, photo1.jpg, photo3.jpg; photo2.jpg"):
        started(empty)


def test_one_pair_in_one_direction_is_enough() -> None:
    problem, truth = seen(SIZES[:2], [(1, 0)])
    start = started(problem)
    terms = gather_terms(problem, OPTIONS, torch.float32)
    # The camera of view 0 comes from random samples, its points do not.
    poses = view_poses(start.parameters.poses)
    torch.testing.assert_close(poses[1], torch.eye(4))
    expected = torch.linalg.inv(truth.world_from_cam[1]) @ truth.world_from_cam[0]
    torch.testing.assert_close(poses[0, :3, :3], expected[:3, :3], atol=0.05, rtol=0)
    assert loss(terms, start.parameters, Frozen()) < 0.2


def test_no_pair_at_all_is_an_error() -> None:
    problem, _ = seen(SIZES[:1], [])
    with pytest.raises(GraphError, match=r"photo0.jpg"):
        started(problem)


def test_equal_confidences_choose_a_tree_all_the_same() -> None:
    problem, truth = seen()
    equal = [
        replace(pair, conf_i=torch.full_like(pair.conf_i, 4), conf_j=torch.full_like(pair.conf_j, 4))
        for pair in problem.pairs
    ]
    start = started(replace(problem, pairs=equal))
    assert_true(truth, start)


def test_a_view_without_confident_pixels_starts_where_the_world_does_and_the_report_says_so() -> None:
    problem, _ = seen(SIZES[:2], [(1, 0)])
    pair = replace(problem.pairs[0], conf_i=problem.pairs[0].conf_i + 20)
    start = started(replace(problem, pairs=[pair]), options=replace(OPTIONS, min_conf=20.0))
    torch.testing.assert_close(view_poses(start.parameters.poses)[0], torch.eye(4))
    assert "photo0.jpg" in start.notices[0].text


def test_confidences_all_below_the_threshold_tell_nothing_of_the_pixels() -> None:
    problem, _ = seen(SIZES[:2], [(1, 0)])
    high, low = (started(problem, options=replace(OPTIONS, min_conf=least)) for least in (0.0, 20.0))
    assert not low.notices
    assert torch.equal(high.parameters.poses, low.parameters.poses)


def test_a_pixel_that_one_pair_lacks_gets_the_point_of_another() -> None:
    problem, truth = seen()
    holes = [torch.ones(size, dtype=torch.bool) for size in problem.sizes]
    for hole in holes:
        hole[5:8, 5:8] = False
    holed = masked(problem, holes)
    weakest = int(pair_scores(problem).argmin())
    mixed = [
        whole if k == weakest else pair for k, (whole, pair) in enumerate(zip(problem.pairs, holed.pairs))
    ]
    start = started(replace(problem, pairs=mixed))
    i, _ = problem.edges[weakest]
    assert (start.parameters.log_depth[i][5:8, 5:8] != 0).all()
    assert_true(truth, start)


@pytest.mark.parametrize("known", [[0], [2], [1, 3], [0, 1, 2, 3]])
def test_known_poses_set_the_world_and_stay(known: list[int]) -> None:
    problem, truth = seen()
    presets = Presets(world_from_cam={view: truth.world_from_cam[view] for view in known})
    start = started(problem, presets)
    poses = view_poses(start.parameters.poses)
    torch.testing.assert_close(poses[known], truth.world_from_cam[known], atol=1e-5, rtol=0)
    assert_true(truth, start)
    terms = gather_terms(problem, OPTIONS, torch.float32)
    assert loss(terms, start.parameters, presets.frozen) < 0.5
    if len(known) > 1:
        # Then the world has the truth's scale.
        torch.testing.assert_close(poses[:, :3, 3], truth.world_from_cam[:, :3, 3], atol=0.05, rtol=0)


def test_known_poses_in_one_place_leave_the_scale_to_the_tree() -> None:
    problem, truth = seen()
    at = truth.world_from_cam.clone()
    at[:, :3, 3] = at[0, :3, 3]
    start = started(problem, Presets(world_from_cam={0: at[0], 1: at[1]}))
    assert all(leaf.isfinite().all() for leaf in leaves(start.parameters))


def test_known_focals_and_principal_points_stay() -> None:
    problem, _ = seen()
    options = replace(OPTIONS, separate_focals=True)
    presets = Presets(
        focals={1: torch.tensor(50.0), 3: torch.tensor([40.0, 44.0])},
        principal_points={2: torch.tensor([15.0, 11.0])},
    )
    start = started(problem, presets, options)
    found = focals(start.parameters.log_focals, options)
    torch.testing.assert_close(found[[1, 3]], torch.tensor([[50.0, 50], [40, 44]]))
    assert start.parameters.principal_points[2].tolist() == pytest.approx([-0.1, 0.1])
    assert (start.parameters.principal_points[[0, 1, 3]] == 0).all()


def test_a_pair_given_twice_is_one_edge_of_the_tree() -> None:
    problem, truth = seen(edges=[*COMPLETE, COMPLETE[0]])
    twice = replace(problem, pairs=[*problem.pairs[:-1], problem.pairs[0]])
    start = started(twice)
    assert_true(truth, start)
    torch.testing.assert_close(start.parameters.pair_poses[-1], start.parameters.pair_poses[0])
