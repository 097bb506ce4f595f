"""The start from known poses. Every pair of these problems agrees with the truth exactly."""

from dataclasses import replace

import pytest
import torch
from seen_dense import SIZES, Truth, discs, masked, seen

from align.dense.initial.known_poses import start_from_known_poses
from align.dense.initial.presets import Presets, with_presets
from align.dense.initial.start import DenseStart
from align.dense.objective import loss
from align.dense.options import DenseOptions
from align.dense.poses import random_parameters, view_poses
from align.dense.problem import DenseProblem
from align.dense.terms import gather_terms
from masks.errors import ReconstructionError, StatedCamerasError

OPTIONS = DenseOptions()
DIFFERENT = ((24, 32), (32, 24), (20, 30), (26, 32))
"""Views of one size take each other's focal, as published."""


def cameras(truth: Truth) -> Presets:
    return Presets(dict(enumerate(truth.world_from_cam)), dict(enumerate(truth.focals)))


def started(
    problem: DenseProblem, presets: Presets, options: DenseOptions = OPTIONS
) -> tuple[DenseStart, float]:
    """Return the start and its loss."""
    drawn = random_parameters(problem.sizes, len(problem.edges), options)
    given = with_presets(drawn, presets, problem, options)
    start = start_from_known_poses(problem, options, given, presets.frozen)
    terms = gather_terms(problem, options, torch.float32)
    return start, loss(terms, start.parameters, presets.frozen)


@pytest.mark.parametrize("options", [OPTIONS, replace(OPTIONS, mean="pairs", separate_focals=True)])
def test_views_of_different_sizes_start_at_the_truth_in_both_variants(options: DenseOptions) -> None:
    problem, truth = seen(DIFFERENT)
    start, value = started(problem, cameras(truth), options)
    assert value < 0.05
    torch.testing.assert_close(view_poses(start.parameters.poses), truth.world_from_cam, atol=1e-5, rtol=0)
    for found, depth in zip(start.parameters.log_depth, truth.depth):
        torch.testing.assert_close(found.exp(), depth, rtol=0.01, atol=0)


@pytest.mark.parametrize("junk", [1e6, torch.nan])
def test_nothing_behind_a_mask_counts(junk: float) -> None:
    problem, truth = seen()
    clean, _ = started(masked(problem, discs()), cameras(truth))
    dirty, _ = started(masked(problem, discs(), junk), cameras(truth))
    assert torch.equal(clean.parameters.pair_poses, dirty.parameters.pair_poses)
    for a, b in zip(clean.parameters.log_depth, dirty.parameters.log_depth):
        assert torch.equal(a, b)


def test_a_view_that_is_never_first_gets_its_depth_from_pairs_where_it_is_second() -> None:
    problem, truth = seen(DIFFERENT, [(0, 1), (1, 0), (0, 2), (1, 3), (0, 3)])
    start, value = started(problem, cameras(truth))
    for view in (2, 3):
        torch.testing.assert_close(
            start.parameters.log_depth[view].exp(), truth.depth[view], rtol=0.02, atol=0
        )
    assert value < 0.1


def test_a_view_keeps_the_depth_of_pairs_where_it_is_first_however_confident_others_are() -> None:
    problem, truth = seen(DIFFERENT)
    pairs = [
        replace(pair, points_j=pair.points_j * torch.tensor([1, 1, 1.5]), conf_j=10 * pair.conf_j)
        if edge == (0, 1)
        else pair
        for edge, pair in zip(problem.edges, problem.pairs)
    ]
    start, _ = started(replace(problem, pairs=pairs), cameras(truth))
    torch.testing.assert_close(start.parameters.log_depth[1].exp(), truth.depth[1], rtol=0.02, atol=0)


def test_a_pair_that_does_not_find_its_second_camera_is_named_and_takes_the_scale_of_others() -> None:
    problem, truth = seen()
    lost = problem.edges.index((2, 3))
    pairs = list(problem.pairs)
    few = torch.zeros_like(pairs[lost].conf_j)
    few[0, :3] = 5
    pairs[lost] = replace(pairs[lost], conf_j=few)
    start, _ = started(replace(problem, pairs=pairs), cameras(truth))
    assert "(photo2.jpg, photo3.jpg)" in start.notices[0].text
    others = torch.cat([start.parameters.pair_poses[:lost, 7], start.parameters.pair_poses[lost + 1 :, 7]])
    assert start.parameters.pair_poses[lost, 7] == others.median()


def test_pairs_without_any_second_camera_are_an_error() -> None:
    problem, truth = seen(SIZES[:2], [(0, 1)])
    few = torch.zeros_like(problem.pairs[0].conf_j)
    few[0, :3] = 5
    with pytest.raises(ReconstructionError, match=r"photo0.jpg, photo1.jpg"):
        started(replace(problem, pairs=[replace(problem.pairs[0], conf_j=few)]), cameras(truth))


@pytest.mark.parametrize("name", ["world_from_cam", "focals"])
def test_a_camera_that_is_not_known_is_named(name: str) -> None:
    problem, truth = seen()
    known = cameras(truth)
    part = {view: value for view, value in getattr(known, name).items() if view != 2}
    with pytest.raises(StatedCamerasError, match=r"photo2.jpg"):
        started(problem, replace(known, **{name: part}))
