from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from plain_dense import plain_pairs
from small_dense import EDGES, SIZES, random_problem, random_start

from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import adaptor_factors, intrinsics, pair_similarities, scale_is_normalised, view_poses
from align.dense.second_order.depth import follow
from align.dense.second_order.equations import reduced_equations
from align.dense.second_order.unknowns import free_unknowns, moved, unknowns_of
from align.dense.terms import gather_terms
from align.pinhole import backproject

CENTRE = torch.tensor([0.3, -0.2, 1.0]).double()
FLOOR = 0.2
STEP = 1e-6
KNOWN = Frozen(poses=frozenset({0, 2}), log_depth=frozenset({1}))


def _residuals(
    parameters: DenseParameters, options: DenseOptions, frozen: Frozen
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all residuals (R, 3), written down pair by pair, and their weights times shares (R,)."""
    problem = random_problem()
    K, poses = intrinsics(parameters, SIZES, options), view_poses(parameters.poses)
    world = [backproject(depth.exp(), K[k], poses[k]) for k, depth in enumerate(parameters.log_depth)]
    normalised = scale_is_normalised(frozen)
    similarities = pair_similarities(parameters.pair_poses, options, normalised)
    adaptors = adaptor_factors(parameters.pair_adaptors, options, normalised)
    pairs = plain_pairs(problem, options, torch.float64)
    counts = [sum(side.num_present for side in sides) for sides in zip(*((p.first, p.second) for p in pairs))]
    found, weights = [], []
    for pair, similarity, adaptor in zip(pairs, similarities, adaptors):
        for side, count in zip((pair.first, pair.second), counts):
            at = (adaptor * side.points) @ similarity[:3, :3].T + similarity[:3, 3]
            found.append((world[side.view] - at).reshape(-1, 3))
            weights.append(side.weight.clamp(min=0).reshape(-1) / count)
    return torch.cat(found), torch.cat(weights)


def _dense_system(
    start: DenseParameters, options: DenseOptions, frozen: Frozen
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return matrix and gradient of all unknowns, depths last, from differences of the residuals."""
    terms = gather_terms(random_problem(), options, torch.float64)
    unknowns = unknowns_of(terms, CENTRE, frozen)

    def of_shared(k: int) -> Callable[[float], DenseParameters]:
        return lambda size: moved(start, unknowns, size * np.eye(unknowns.size)[k])

    def of_depth(view: int, pixel: int) -> Callable[[float], DenseParameters]:
        def change(size: float) -> DenseParameters:
            log_depth = [depth.clone() for depth in start.log_depth]
            log_depth[view].view(-1)[pixel] += size
            return replace(start, log_depth=tuple(log_depth))

        return change

    changes = [of_shared(k) for k in range(unknowns.size)] + [
        of_depth(view, pixel)
        for view, (height, width) in enumerate(SIZES)
        if view not in frozen.log_depth
        for pixel in range(height * width)
    ]
    columns = []
    for change in changes:
        ahead, behind = (_residuals(change(size), options, frozen)[0] for size in (STEP, -STEP))
        columns.append(((ahead - behind) / (2 * STEP)).reshape(-1))
    J = torch.stack(columns, 1)
    r, weight = _residuals(start, options, frozen)
    q = (
        2 * weight if options.distance == "l2" else weight / (r.square().sum(1) + FLOOR**2).sqrt()
    ).repeat_interleave(3)
    return (J.T @ (q[:, None] * J)).numpy(), (J.T @ (q * r.reshape(-1))).numpy(), unknowns.size


VARIANTS = [
    (DenseOptions(), Frozen()),
    (DenseOptions(distance="l2", adaptors=True), KNOWN),
    (DenseOptions(separate_focals=True, free_principal_point=True), KNOWN),
]


@pytest.mark.parametrize(("options", "frozen"), VARIANTS)
def test_elimination_leaves_the_equations_of_views_and_pairs(options: DenseOptions, frozen: Frozen) -> None:
    start = random_start(options)
    terms = gather_terms(random_problem(), options, torch.float64)
    matrix, gradient = reduced_equations(terms, start, unknowns_of(terms, CENTRE, frozen), FLOOR)
    H, g, size = _dense_system(start, options, frozen)
    inverse = np.linalg.pinv(H[size:, size:], rcond=1e-12)  # pixels that nobody mentions have no equation
    np.testing.assert_allclose(
        matrix,
        H[:size, :size] - H[:size, size:] @ inverse @ H[size:, :size],
        rtol=0,
        atol=1e-7 * abs(H).max(),
    )
    np.testing.assert_allclose(
        gradient, g[:size] - H[:size, size:] @ inverse @ g[size:], rtol=0, atol=1e-7 * abs(g).max()
    )


def test_depths_that_follow_are_those_of_the_whole_system() -> None:
    options, frozen = DenseOptions(distance="l2"), Frozen()
    start = random_start(options)
    terms = gather_terms(random_problem(), options, torch.float64)
    unknowns = unknowns_of(terms, CENTRE, frozen)
    H, g, size = _dense_system(start, options, frozen)
    step = 1e-5 * np.random.default_rng(0).normal(size=size)
    expected = -np.linalg.pinv(H[size:, size:], rcond=1e-12) @ (g[size:] + H[size:, :size] @ step)
    found = follow(terms, start, moved(start, unknowns, step), unknowns, 0.0)
    change = torch.cat([(new - old).reshape(-1) for new, old in zip(found, start.log_depth)]).expm1().numpy()
    # No depth is divided or multiplied by more than 10.
    np.testing.assert_allclose(change, expected.clip(-0.9, 9), rtol=1e-3, atol=1e-4)
    assert ((expected > -0.9) & (expected < 9)).any()


def test_the_gauge_stands_still_and_nothing_else() -> None:
    terms = gather_terms(random_problem(), DenseOptions(), torch.float64)
    free = free_unknowns(terms, unknowns_of(terms, CENTRE, Frozen()))
    assert np.flatnonzero(~free).tolist() == [0, 1, 2, 3, 4, 5, 3 * 7 + 6]
    frozen = Frozen(poses=frozenset({1, 2}), focals=frozenset({0}))
    free = free_unknowns(terms, unknowns_of(terms, CENTRE, frozen))
    assert np.flatnonzero(~free).tolist() == [6, *range(7, 13), *range(14, 20)]


def test_the_world_is_held_by_a_view_that_something_is_said_of() -> None:
    problem = random_problem()
    pairs = [
        replace(pair, conf_i=pair.conf_i * (i > 0), conf_j=pair.conf_j * (j > 0))
        for (i, j), pair in zip(EDGES, problem.pairs)
    ]
    terms = gather_terms(replace(problem, pairs=pairs), DenseOptions(), torch.float64)
    unknowns = unknowns_of(terms, CENTRE, Frozen())
    free = free_unknowns(terms, unknowns)
    assert not free[unknowns.of_view(0)].any()
    assert free[unknowns.of_view(1)].tolist() == [False] * 6 + [True]
    assert free[unknowns.of_view(2)].all()


def test_a_pair_that_says_nothing_stands_still() -> None:
    problem = random_problem()
    silent = replace(
        problem.pairs[1],
        conf_i=torch.zeros_like(problem.pairs[1].conf_i),
        conf_j=torch.zeros_like(problem.pairs[1].conf_j),
    )
    pairs = [problem.pairs[0], silent, *problem.pairs[2:]]
    terms = gather_terms(replace(problem, pairs=pairs), DenseOptions(), torch.float64)
    unknowns = unknowns_of(terms, CENTRE, Frozen())
    free = free_unknowns(terms, unknowns)
    assert not free[unknowns.of_pairs(torch.tensor([1]))].any()
    assert free.sum() == 7 * (len(SIZES) + len(EDGES)) - 6 - 1 - 7
