from dataclasses import fields, replace

import pytest
import torch
from plain_dense import plain_loss, plain_pairs
from small_dense import EDGES, random_problem, random_start

from align.dense import objective
from align.dense.objective import loss, loss_and_gradient, pair_means, side_sums
from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.problem import DenseProblem, DirectedPair
from align.dense.terms import gather_terms

VARIANTS = [
    DenseOptions(),
    DenseOptions(distance="l2", conf_transform="sqrt", mean="pairs"),
    DenseOptions(mean="pairs", separate_focals=True, free_principal_point=True, base_scale=0.8),
    DenseOptions(distance="l2", adaptors=True, adaptor_break=3, conf_transform="m1", focal_break=5),
]


def _leaves(parameters: DenseParameters) -> list[torch.Tensor]:
    named = [getattr(parameters, field.name) for field in fields(parameters) if field.name != "log_depth"]
    return [*named, *parameters.log_depth]


def _plain(
    problem: DenseProblem, parameters: DenseParameters, options: DenseOptions, frozen: Frozen
) -> tuple[float, list[torch.Tensor]]:
    for leaf in _leaves(parameters):
        leaf.requires_grad_()
    pairs = plain_pairs(problem, options, parameters.poses.dtype)
    value = plain_loss(pairs, parameters, problem.sizes, options, frozen)
    return value.item(), list(torch.autograd.grad(value, _leaves(parameters)))


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("known", [frozenset(), frozenset({0, 1})])
def test_loss_and_gradient_are_those_of_the_plain_loop(
    options: DenseOptions, known: frozenset[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objective, "_PIECE", 32)  # several pieces a view, the last one shorter
    problem, parameters, frozen = random_problem(), random_start(options), Frozen(poses=known)
    value, gradient = loss_and_gradient(gather_terms(problem, options, torch.float64), parameters, frozen)
    expected, plain = _plain(problem, parameters, options, frozen)
    plain = DenseParameters(*plain[:2], tuple(plain[5:]), *plain[2:5])
    plain.poses[sorted(known)] = 0
    for name, free in (
        ("pair_adaptors", options.adaptors),
        ("principal_points", options.free_principal_point),
    ):
        if not free:
            plain = replace(plain, **{name: torch.zeros_like(getattr(plain, name))})
    assert value == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(_leaves(gradient), _leaves(plain), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("unit", [1.0, 1e7, 1e-7])
def test_half_precision_storage_moves_the_loss_by_its_rounding_whatever_the_unit_of_length(
    unit: float,
) -> None:
    options = DenseOptions(conf_transform="id")
    problem, parameters = random_problem(), random_start(options)
    scaled = replace(
        problem,
        pairs=[
            replace(pair, points_i=unit * pair.points_i, points_j=unit * pair.points_j)
            for pair in problem.pairs
        ],
    )
    pair_poses = parameters.pair_poses.clone()
    # Without a norm of scales a unit of length can be taken back.
    pair_poses[:, 7] -= torch.tensor(unit).log()
    pair_poses[:, 4:7] = 0
    moved = replace(parameters, pair_poses=pair_poses)
    known = Frozen(poses=frozenset({0, 1}))
    single = DenseParameters(*(_single(getattr(moved, field.name)) for field in fields(moved)))
    double = loss(gather_terms(scaled, options, torch.float64), moved, known)
    terms = gather_terms(scaled, options, torch.float32)
    assert terms.views[0].points.dtype == torch.float16
    assert loss(terms, single, known) == pytest.approx(double, rel=1e-4)


def _single(values: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor | tuple[torch.Tensor, ...]:
    return values.float() if isinstance(values, torch.Tensor) else tuple(each.float() for each in values)


def test_single_precision_has_the_gradient_of_double_where_points_are_in_half_anyway() -> None:
    options, problem = DenseOptions(), random_problem()
    halved = replace(
        problem,
        pairs=[
            replace(pair, points_i=pair.points_i.half(), points_j=pair.points_j.half())
            for pair in problem.pairs
        ],
    )
    (_, single), (_, double) = (
        loss_and_gradient(gather_terms(halved, options, dtype), random_start(options, dtype), Frozen())
        for dtype in (torch.float32, torch.float64)
    )
    for ours, exact in zip(_leaves(single), _leaves(double)):
        torch.testing.assert_close(ours.double(), exact, rtol=2e-3, atol=1e-5 * float(exact.abs().max()))


def test_absent_pixels_say_nothing_whatever_they_hold() -> None:
    options, problem = DenseOptions(), random_problem()
    spoilt = [
        DirectedPair(
            *(
                torch.where(conf[..., None] == 0, torch.nan, points)
                for points, conf in ((pair.points_i, pair.conf_i), (pair.points_j, pair.conf_j))
            ),
            pair.conf_i,
            pair.conf_j,
        )
        for pair in problem.pairs
    ]
    clean, dirty = (
        loss_and_gradient(
            gather_terms(replace(problem, pairs=pairs), options, torch.float64),
            random_start(options),
            Frozen(),
        )
        for pairs in (problem.pairs, spoilt)
    )
    assert clean[0] == dirty[0]
    assert all(torch.equal(a, b) for a, b in zip(_leaves(clean[1]), _leaves(dirty[1])))


def test_a_pair_that_says_nothing_of_a_view_counts_as_no_pixel() -> None:
    options, problem = DenseOptions(mean="pairs"), random_problem()
    silent = replace(problem.pairs[0], conf_i=torch.zeros_like(problem.pairs[0].conf_i))
    terms = gather_terms(replace(problem, pairs=[silent, *problem.pairs[1:]]), options, torch.float64)
    parameters = random_start(options)
    sums = side_sums(terms, parameters, Frozen())
    assert sums[0, 0] == 0
    means = pair_means(terms, sums)
    assert loss(terms, parameters, Frozen()) == pytest.approx(
        sum(means[edge].item() for edge in EDGES) / len(EDGES)
    )
    assert means[1, 2] == means[0, 0] == -1  # no such pair


def test_where_points_coincide_the_gradient_is_0() -> None:
    """Every prediction is where its pixel is, in a world of cameras at the origin."""
    options, size = DenseOptions(conf_transform="id", base_scale=1), (2, 2)
    x, y = torch.tensor([-1.0, 0]).double(), torch.tensor([-1.0, 0]).double()
    points = torch.stack([*torch.meshgrid(x, y, indexing="xy"), torch.ones(2, 2).double()], 2)
    pair = DirectedPair(points, points, torch.ones(size).double(), torch.ones(size).double())
    problem = DenseProblem((size, size), ((0, 1),), [pair])
    identity = torch.tensor([0.0, 0, 0, 1, 0, 0, 0, 0]).double()
    zeros = torch.zeros(2, 2).double()
    parameters = DenseParameters(
        identity[None], zeros[:1], (zeros, zeros), identity[None, :7].repeat(2, 1), zeros[:, :1], zeros
    )
    value, gradient = loss_and_gradient(gather_terms(problem, options, torch.float64), parameters, Frozen())
    assert value < 1e-150
    assert all((leaf == 0).all() for leaf in _leaves(gradient))


def test_what_is_frozen_has_no_gradient() -> None:
    options = DenseOptions()
    frozen = Frozen(frozenset({0}), frozenset({1}), frozenset(), frozenset({2}))
    terms = gather_terms(random_problem(), options, torch.float64)
    _, gradient = loss_and_gradient(terms, random_start(options), frozen)
    assert [bool(row.any()) for row in gradient.poses] == [False, True, True]
    assert [bool(row.any()) for row in gradient.log_focals] == [True, False, True]
    assert [bool(depth.any()) for depth in gradient.log_depth] == [True, True, False]
    assert not gradient.pair_adaptors.any()
    assert not gradient.principal_points.any()
