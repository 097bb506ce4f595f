"""The reference's losses as least squares: the same cost as Adam's, exact derivatives, exact elimination."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_scene import CHAIN, VIEWS, random_state, small_problem

from align.initial.spanning_tree import Tree
from align.measurements.known_cameras import Known
from align.solver.least_squares import Step, solve
from align.sparse.camera_chain import CameraChain, Parameters, place
from align.sparse.losses import (
    PriorTerms,
    fallback_terms,
    lift,
    loss_2d,
    loss_3d,
    loss_fallback,
    loss_priors,
    match_terms,
)
from align.sparse.options import ALIGNER_FUNCTION, DepthModel, Intrinsics, Priors, SparseOptions
from align.sparse.problem import Problem
from align.sparse.robust import Gamma, Robust, SquareRoot, at_progress
from align.sparse.second_order import model as model_module
from align.sparse.second_order import observations
from align.sparse.second_order.jacobians import seen_of
from align.sparse.second_order.model import SparseModel, with_kernel
from align.sparse.second_order.normal_equations import irls_weights
from align.sparse.second_order.observations import tiled_pieces
from align.sparse.second_order.stages import coarse_model, fine_model, stage_inputs
from align.sparse.second_order.state import SparseState, constants_of, placement_of, state_of, view_intrinsics
from align.sparse.start import start

PRIORS = Priors(log_focal_sigma=0.05, rotation_sigma_rad=0.1, centre_sigma=0.2)
THREE = Tree(1, ((1, 0), (1, 2)))


@pytest.fixture(scope="module")
def problem() -> Problem:
    return small_problem(VIEWS)[1]


def middling(problem: Problem) -> float:
    """Return a threshold that half of the pairs pass."""
    return float(problem.pair_best_conf.median())


def model_at(
    problem: Problem,
    parameters: Parameters,
    chain: CameraChain,
    options: SparseOptions,
    fine: bool,
    known: Known | None = None,
) -> tuple[SparseModel, SparseState]:
    inputs = stage_inputs(problem, parameters, chain, options, known or Known())
    state = state_of(parameters, chain, inputs.constants)
    model = (fine_model if fine else coarse_model)(inputs, state)
    assert model is not None
    return as_used(model, options, fine), state


def as_used(model: SparseModel, options: SparseOptions, fine: bool) -> SparseModel:
    """Return the model under the stage's own function."""
    return with_kernel(model, at_progress((options.fine if fine else options.coarse).robust, 0))


def adams_loss(
    problem: Problem,
    state: SparseState,
    chain: CameraChain,
    options: SparseOptions,
    fine: bool,
    fixed: torch.Tensor,
) -> float:
    placement = placement_of(state, chain)
    terms, weak = (
        match_terms(problem, options.good_conf, fixed),
        fallback_terms(problem, options.good_conf, fixed),
    )
    loss, robust = (
        (loss_2d, at_progress(options.fine.robust, 0))
        if fine
        else (loss_3d, at_progress(options.coarse.robust, 0))
    )
    total = (
        0.0 if terms is None else float(loss(terms, lift(terms.ends, placement, chain), placement, robust))
    )
    if weak is None:
        return total
    return total + options.fallback_weight * float(
        loss_fallback(weak, lift(weak.ends, placement, chain), placement, options.fallback)
    )


@pytest.mark.parametrize("fine", [False, True])
@pytest.mark.parametrize("fixed", [{}, {0: 1.0, 3: 0.5}])
@pytest.mark.parametrize("share", ["none", "all"])
def test_the_cost_is_adams_loss_whatever_the_state(
    problem: Problem, fine: bool, fixed: dict[int, float], share
) -> None:
    for seed, threshold in ((0, 0.0), (1, middling(problem)), (2, 1e9)):
        options = replace(ALIGNER_FUNCTION, good_conf=threshold, intrinsics=Intrinsics(share=share))
        parameters, chain = random_state(problem, seed, options)
        known = Known(fixed=fixed)
        model, state = model_at(problem, parameters, chain, options, fine, known)
        expected = adams_loss(problem, state, chain, options, fine, known.fixed_levels(VIEWS))
        assert model.cost(state) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("robust", [Gamma(1.5), Gamma(0.5, clip=20.0), Gamma(1.0), SquareRoot()])
def test_every_robust_function_is_adams(problem: Problem, robust: Robust) -> None:
    options = replace(ALIGNER_FUNCTION, good_conf=0.0, fine=replace(ALIGNER_FUNCTION.fine, robust=robust))
    parameters, chain = random_state(problem, 3, options)
    model, state = model_at(problem, parameters, chain, options, True)
    assert model.cost(state) == pytest.approx(
        adams_loss(problem, state, chain, options, True, torch.zeros(VIEWS)), rel=1e-12
    )


def test_priors_are_adams(problem: Problem) -> None:
    options = replace(ALIGNER_FUNCTION, good_conf=0.0, priors=PRIORS)
    begin, chain = start(problem, CHAIN, options)
    inputs = stage_inputs(problem, begin, chain, options, Known())
    parameters, _ = random_state(problem, 4, options)
    state, placement = state_of(parameters, chain, inputs.constants), place(begin, chain)
    model = fine_model(inputs, state)
    assert model is not None
    matches = match_terms(problem, 0.0, torch.zeros(VIEWS))
    assert matches is not None
    terms = PriorTerms(
        PRIORS, begin.log_focal, placement.R_world_from_cam, placement.centre, matches.num_observations
    )
    expected = float(loss_priors(terms, parameters, place(parameters, chain)))
    with_priors, without = (
        as_used(each, options, True).cost(state) for each in (model, replace(model, priors=None))
    )
    assert with_priors - without == pytest.approx(expected)


def near_truth(seed: int, options: SparseOptions, fine: bool) -> tuple[SparseModel, SparseState]:
    """Return a model of three views without bounds, and a state a few degrees and percents off the truth."""
    _, problem, poses = small_problem(3)
    known = Known(cam_from_world=dict(enumerate(poses)))
    parameters, chain = start(problem, THREE, options, known)
    inputs = stage_inputs(problem, parameters, chain, options, known)
    rng = np.random.default_rng(seed)
    state = state_of(parameters, chain, inputs.constants)
    model = (fine_model if fine else coarse_model)(inputs, state)
    assert model is not None
    model = replace(as_used(model, options, fine), bounded=False)
    step = Step(
        rng.normal(0, 0.02, len(model.free)),
        np.zeros((0, 0)) if model.eliminated is None else rng.normal(0, 0.02, model.eliminated.anchor.shape),
    )
    return model, model.retract(state, step)


def stepped(model: SparseModel, state: SparseState, x: np.ndarray) -> SparseState:
    """Return the state after a step of all unknowns (N + V B,)."""
    size = len(model.free)
    eliminated = (
        np.zeros((0, 0)) if model.eliminated is None else x[size:].reshape(model.eliminated.anchor.shape)
    )
    return model.retract(state, Step(x[:size], eliminated))


def differences(value, size: int, h: float) -> np.ndarray:
    """Return central differences of value(x) by each of `size` unknowns at 0."""
    return np.stack([(value(h * e) - value(-h * e)) / (2 * h) for e in np.eye(size)], -1)


def used(model: SparseModel) -> np.ndarray:
    """Return which of all unknowns (N + V B,) may move."""
    return np.concatenate(
        [
            model.free,
            np.zeros(0, bool) if model.eliminated is None else (model.eliminated.anchor >= 0).ravel(),
        ]
    )


PROBLEMS = [
    pytest.param(SparseOptions(good_conf=0.0), False, id="coarse"),
    pytest.param(SparseOptions(good_conf=0.0), True, id="fine"),
    pytest.param(SparseOptions(good_conf=1e9), False, id="coarse fallback"),
    pytest.param(SparseOptions(good_conf=1e9), True, id="fine fallback"),
    pytest.param(
        SparseOptions(good_conf=0.0, intrinsics=Intrinsics(share="all")), True, id="shared intrinsics"
    ),
    pytest.param(
        SparseOptions(good_conf=0.0, intrinsics=Intrinsics(free_principal_point=False)),
        True,
        id="fixed principal points",
    ),
    pytest.param(SparseOptions(good_conf=0.0, free_depth=False), True, id="fixed depths"),
    pytest.param(
        SparseOptions(good_conf=0.0, free_depth=False, depth=DepthModel("mul")),
        True,
        id="fixed depths that multiply",
    ),
    pytest.param(SparseOptions(good_conf=0.0, priors=PRIORS), True, id="priors"),
]


@pytest.mark.parametrize(("options", "fine"), PROBLEMS)
def test_the_gradient_is_that_of_the_cost(options: SparseOptions, fine: bool) -> None:
    model, state = near_truth(0, options, fine)
    equations = model.equations(state)
    gradient = np.concatenate([equations.gradient, equations.eliminated_gradient.ravel()])
    numeric = differences(lambda x: model.cost(stepped(model, state, x)), len(gradient), 1e-6)
    np.testing.assert_allclose(gradient[used(model)], numeric[used(model)], atol=1e-6 * abs(numeric).max())


@pytest.mark.parametrize(("options", "fine"), PROBLEMS[:-1])
def test_every_column_agrees_with_differences(
    options: SparseOptions, fine: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_module, "_INTRINSICS_DAMPING", 0.0)
    model, state = near_truth(1, options, fine)

    def errors(at: SparseState) -> np.ndarray:
        """Return all errors with the weights that they have in the state."""
        found = []
        for term in model.terms:
            fixed = seen_of(term.obs, state, view_intrinsics(state, model.constants), 0.0)
            root = np.sqrt(irls_weights(fixed, term.obs.weight, term.robust, term.least))
            found.append(
                (
                    root[:, None] * seen_of(term.obs, at, view_intrinsics(at, model.constants), 0.0).error
                ).ravel()
            )
        return np.concatenate(found)

    J = differences(lambda x: errors(stepped(model, state, x)), len(used(model)), 1e-6)
    expected = J.T @ J
    scale = np.sqrt(np.diagonal(expected)) + 1e-6
    both = np.ix_(used(model), used(model))
    np.testing.assert_allclose(
        (dense(model, state)[0] / np.outer(scale, scale))[both],
        (expected / np.outer(scale, scale))[both],
        atol=1e-6,
    )


@pytest.mark.parametrize(
    "options",
    [SparseOptions(good_conf=0.0), SparseOptions(good_conf=12.0, intrinsics=Intrinsics(share="all"))],
)
def test_eliminated_depths_give_the_dense_solution(options: SparseOptions) -> None:
    model, state = near_truth(2, options, True)
    matrix, gradient = dense(model, state)
    # The scale of the world is open: a little damping decides it.
    matrix[np.diag_indices_from(matrix)] *= 1 + 1e-3
    kept = np.concatenate([model.free, np.ones(len(gradient) - len(model.free), bool)])
    expected = np.zeros(len(gradient))
    expected[kept] = -np.linalg.solve(matrix[np.ix_(kept, kept)], gradient[kept])
    step = solve(model.equations(state), model.free, 1e-3)
    assert step is not None
    np.testing.assert_allclose(
        np.concatenate([step.shared, step.eliminated.ravel()]),
        expected,
        rtol=0,
        atol=1e-9 * abs(expected).max(),
    )


def dense(model: SparseModel, state: SparseState) -> tuple[np.ndarray, np.ndarray]:
    """Return the equations as one matrix and its gradient."""
    equations = model.equations(state)
    shared, num_eliminated = len(equations.gradient), equations.eliminated_diagonal.size
    matrix = np.zeros((shared + num_eliminated, shared + num_eliminated))
    matrix[range(shared, len(matrix)), range(shared, len(matrix))] = equations.eliminated_diagonal.ravel()
    matrix[:shared, :shared] = equations.matrix
    rows = np.zeros((num_eliminated, shared + 1))
    group = np.repeat(np.arange(len(equations.columns)), equations.eliminated_diagonal.shape[1])
    np.add.at(
        rows,
        (np.arange(num_eliminated)[:, None], equations.columns[group]),
        equations.coupling.reshape(num_eliminated, equations.columns.shape[1]),
    )
    matrix[shared:, :shared], matrix[:shared, shared:] = rows[:, :shared], rows[:, :shared].T
    return matrix, np.concatenate([equations.gradient, equations.eliminated_gradient.ravel()])


def test_points_behind_the_camera_count_and_pull_as_in_adams_loss(problem: Problem) -> None:
    options = SparseOptions(good_conf=0.0)
    parameters, chain = random_state(problem, 5, options)
    model, state = model_at(problem, parameters, chain, options, True)
    model, obs = replace(model, bounded=False), model.terms[0].obs
    # Bring one camera to where it has a point a little behind it that falls between the limits of the
    # projection all the same.
    target, intrinsics = int(obs.direction[0, 1]), view_intrinsics(state, model.constants)
    now, cx, cy = seen_of(obs, state, intrinsics, 0.0).point[0, :, 0], *intrinsics.centre[target]
    wanted = np.array(
        [(0.5 + 0.02 * cx) / intrinsics.focal[target], (0.3 + 0.02 * cy) / intrinsics.focal[target], -0.02]
    )
    centre = state.centre.copy()
    centre[target] += state.R_world_from_cam[target] @ (now - wanted)
    state = replace(state, centre=centre)
    seen = seen_of(obs, state, intrinsics, 0.0)
    np.testing.assert_allclose(seen.error[0, :, 0] + obs.seen[0, :, 0], [500, 300], rtol=1e-6)
    assert model.cost(state) == pytest.approx(
        adams_loss(problem, state, chain, options, True, torch.zeros(VIEWS)), rel=1e-12
    )
    equations = model.equations(state)
    gradient = np.concatenate([equations.gradient, equations.eliminated_gradient.ravel()])
    rng = np.random.default_rng(0)
    for _ in range(5):
        along = rng.normal(size=len(gradient)) * used(model)
        slope = (
            model.cost(stepped(model, state, 1e-7 * along)) - model.cost(stepped(model, state, -1e-7 * along))
        ) / 2e-7
        assert gradient @ along == pytest.approx(slope, rel=1e-4)


def test_pieces_give_the_equations_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    model, state = near_truth(3, SparseOptions(good_conf=0.0), True)
    monkeypatch.setattr(observations, "_PIECE", 2)
    pieces = tuple(tiled_pieces(model.terms[0].obs))
    assert len(pieces) > 2
    cut = replace(model, terms=(replace(model.terms[0], pieces=pieces),))
    for one, other in zip(dense(model, state), dense(cut, state)):
        np.testing.assert_allclose(other, one, rtol=1e-11, atol=1e-12 * abs(one).max())


def test_the_smallest_size_is_the_unit_after_every_step(problem: Problem) -> None:
    options = SparseOptions(good_conf=0.0)
    parameters, chain = random_state(problem, 6, options)
    model, state = model_at(problem, parameters, chain, options, False)
    rng = np.random.default_rng(1)
    for _ in range(3):
        state = model.retract(state, Step(rng.normal(0, 0.3, len(model.free)), np.zeros((0, 0))))
        assert (state.depth_scale / constants_of(chain).pivot_depth).min() == pytest.approx(1, abs=1e-12)


def test_growing_the_world_and_dividing_by_the_smallest_size_changes_nothing(problem: Problem) -> None:
    options = SparseOptions(good_conf=0.0)
    parameters, chain = random_state(problem, 7, options)
    model, state = model_at(problem, parameters, chain, options, False)
    root = chain.tree.root
    doubled = replace(
        state,
        depth_scale=2 * state.depth_scale,
        centre=state.centre[root] + 2 * (state.centre - state.centre[root]),
    )
    back = model.retract(doubled, Step(np.zeros(len(model.free)), np.zeros((0, 0))))
    np.testing.assert_allclose(back.centre, state.centre, atol=1e-12)
    assert model.cost(back) == pytest.approx(model.cost(state), rel=1e-12)
