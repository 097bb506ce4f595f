from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from small_scene import VIEWS, random_state, small_problem

from align.sparse.camera_chain import Parameters, anchored_points, place
from align.sparse.losses import fallback_terms, lift, loss_2d, loss_3d, loss_fallback, match_terms
from align.sparse.problem import Problem
from align.sparse.robust import Gamma, Robust, SquareRoot, robust_value
from align.sparse.robust_sums import distance_sum, projection_sum

FREE = torch.zeros(VIEWS)
EVERY_PAIR, NO_PAIR = 0.0, 1e9


@pytest.fixture(scope="module")
def problem() -> Problem:
    return small_problem(VIEWS)[1]


def leaves(parameters: Parameters) -> Parameters:
    return Parameters(
        *(getattr(parameters, field.name).clone().requires_grad_() for field in fields(parameters))
    )


def value_and_gradient(value: torch.Tensor, parameters: Parameters) -> tuple[torch.Tensor, ...]:
    names = [getattr(parameters, field.name) for field in fields(parameters)]
    return (value.detach(), *torch.autograd.grad(value, names, allow_unused=True, materialize_grads=True))


def plain_3d(problem: Problem, placement, chain, robust: Robust) -> torch.Tensor:
    """The coarse loss as it is published: record by record."""
    points, total, weights = anchored_points(placement, chain, problem), 0, 0
    for k in range(len(problem.pair)):
        ends = problem.match_points[problem.match_start[k] : problem.match_start[k + 1]]
        conf = problem.match_conf[problem.match_start[k] : problem.match_start[k + 1]]
        distance = (points[ends[:, 0]] - points[ends[:, 1]]).norm(dim=1)
        total, weights = total + (conf * robust_value(robust, distance)).sum(), weights + conf.sum()
    return total / weights


def plain_2d(problem: Problem, placement, chain, robust: Robust) -> torch.Tensor:
    """The fine loss as it is published: image by image, entry by entry."""
    points, total, weights = anchored_points(placement, chain, problem), 0, 0
    for k, pair in enumerate(problem.pair.tolist()):
        ends = problem.match_points[problem.match_start[k] : problem.match_start[k + 1]]
        conf = problem.match_conf[problem.match_start[k] : problem.match_start[k + 1]]
        for side, view in enumerate(pair):
            pose = placement.cam_from_world[view]
            seen = (points[ends[:, 1 - side]] @ pose[:3, :3].T + pose[:3, 3]) @ placement.K[view].T
            uv = (seen[:, :2] / seen[:, 2:].clamp(min=1e-3)).clamp(-1000, 2000)
            distance = (uv - problem.point_xy[ends[:, side]]).norm(dim=1)
            total, weights = total + (conf * robust_value(robust, distance)).sum(), weights + conf.sum()
    return total / weights


def plain_fallback(problem: Problem, placement, chain, robust: Robust) -> torch.Tensor:
    """The fallback as it is published: run by run."""
    points, total, weights = anchored_points(placement, chain, problem), 0, 0
    for r, (frame, of) in enumerate(problem.cross.tolist()):
        own = slice(int(problem.point_start[of]), int(problem.point_start[of + 1]))
        sample = problem.cross_start[r] + problem.point_anchor[own] - problem.anchor_start[of]
        pose = placement.world_from_cam[frame]
        target, conf = problem.cross_points[sample] @ pose[:3, :3].T + pose[:3, 3], problem.cross_conf[sample]
        total, weights = (
            total + (conf * robust_value(robust, (points[own] - target).norm(dim=1))).sum(),
            weights + conf.sum(),
        )
    return total / weights


@pytest.mark.parametrize(
    "robust", [Gamma(1.5), Gamma(0.5), Gamma(1.1), Gamma(1.0), Gamma(0.5, clip=20.0), SquareRoot()]
)
@pytest.mark.parametrize(
    ("fast", "plain", "terms_of", "good_conf"),
    [
        (loss_3d, plain_3d, match_terms, EVERY_PAIR),
        (loss_2d, plain_2d, match_terms, EVERY_PAIR),
        (loss_fallback, plain_fallback, fallback_terms, NO_PAIR),
    ],
)
def test_tiled_losses_and_gradients_equal_the_plain_loops(problem, fast, plain, terms_of, good_conf, robust):
    for seed in range(3):
        state, chain = random_state(problem, seed)
        terms = terms_of(problem, good_conf, FREE)
        parameters = leaves(state)
        placement = place(parameters, chain)
        actual = value_and_gradient(
            fast(terms, lift(terms.ends, placement, chain), placement, robust), parameters
        )
        parameters = leaves(state)
        expected = value_and_gradient(plain(problem, place(parameters, chain), chain, robust), parameters)
        for a, b in zip(actual, expected):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_a_pair_listed_in_both_orders_counts_like_one_listed_once(problem):
    doubled = small_problem(VIEWS, count=2)[1]
    parameters, chain = random_state(problem, 0)
    placement = place(parameters, chain)
    for loss, terms_of, good in (
        (loss_3d, match_terms, 0.0),
        (loss_2d, match_terms, 0.0),
        (loss_fallback, fallback_terms, NO_PAIR),
    ):
        values = []
        for each in (problem, doubled):
            terms = terms_of(each, good, FREE)
            values.append(loss(terms, lift(terms.ends, placement, chain), placement, Gamma(1.5)))
        torch.testing.assert_close(values[0], values[1], rtol=1e-14, atol=0)


def test_a_pair_is_good_by_its_most_confident_match_and_falls_back_otherwise(problem):
    threshold = float(problem.pair_best_conf.median())
    good, weak = match_terms(problem, threshold, FREE), fallback_terms(problem, threshold, FREE)
    assert good is not None
    assert weak is not None
    pairs = {tuple(sorted(pair)) for pair in good.ends.view[good.ends.group].tolist()}
    assert pairs == {
        tuple(pair) for pair, best in zip(problem.pair.tolist(), problem.pair_best_conf) if best > threshold
    }
    others = {
        tuple(sorted(pair))
        for pair in zip(
            weak.target_view[weak.ends.group].tolist(), weak.ends.view[weak.ends.group, 0].tolist()
        )
    }
    assert pairs.isdisjoint(others)
    assert match_terms(problem, NO_PAIR, FREE) is None
    assert fallback_terms(problem, EVERY_PAIR, FREE) is None


def test_nan_confidence_makes_a_pair_fall_back(problem):
    best = problem.pair_best_conf.clone()
    best[0] = torch.nan
    weak = fallback_terms(replace(problem, pair_best_conf=best), EVERY_PAIR, FREE)
    assert weak is not None
    assert {
        tuple(sorted(pair))
        for pair in zip(
            weak.target_view[weak.ends.group].tolist(), weak.ends.view[weak.ends.group, 0].tolist()
        )
    } == {tuple(problem.pair[0].tolist())}


def test_a_sample_that_is_not_finite_is_absent(problem):
    conf = problem.cross_conf.clone()
    conf[::2] = torch.nan
    state, chain = random_state(problem, 1)
    placement = place(state, chain)
    terms = fallback_terms(replace(problem, cross_conf=conf), NO_PAIR, FREE)
    assert terms is not None
    assert torch.isfinite(loss_fallback(terms, lift(terms.ends, placement, chain), placement, Gamma(1.1)))


def test_a_pair_of_frozen_views_has_no_3d_loss_and_no_projection(problem):
    fixed = torch.tensor([1.0, 1.0, 0, 0, 0])
    terms = match_terms(problem, EVERY_PAIR, fixed)
    assert terms is not None
    for view, weight, pixel_weight in zip(
        terms.ends.view[terms.ends.group].tolist(), terms.weight, terms.pixel_weight
    ):
        assert bool((weight == 0).all()) == (set(view) == {0, 1})
        for end in range(2):
            assert bool((pixel_weight[end] == 0).all()) == (view[1 - end] in (0, 1))


def test_points_behind_the_camera_and_far_outside_pull_only_sideways_or_not_at_all():
    pixel = torch.tensor([[[1.0, 5.0], [2.0, 3.0], [1.0, 1.0]]]).double()
    matrix = torch.eye(3).double()[None].requires_grad_()
    offset = torch.tensor([[0.0, 0.0, -2.0]]).double().requires_grad_()
    depth = torch.tensor([[1.0, 1.0]]).double().requires_grad_()
    value = projection_sum(
        matrix, offset, depth, pixel, torch.zeros(1, 2, 2).double(), torch.ones(1, 2).double(), Gamma(0.5)
    )
    by_offset = torch.autograd.grad(value, offset)[0]
    # The first point lands on (1000, 2000), where gradients still pass; the second beyond 2000 in both
    # coordinates.
    assert by_offset[0, 2] == 0
    assert by_offset[0, 0] != 0


def test_coinciding_points_have_no_gradient():
    matrix, offset = torch.eye(3).double()[None].requires_grad_(), torch.zeros(1, 3).double().requires_grad_()
    for robust in (Gamma(1.5), Gamma(1.0), SquareRoot()):
        value = distance_sum(matrix, offset, torch.zeros(1, 3, 4).double(), torch.ones(1, 4).double(), robust)
        assert not any(gradient.any() for gradient in torch.autograd.grad(value, (matrix, offset)))
