"""Reprojection errors with depths by blocks: derivatives, sums, elimination."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from small_gathered import CENTRE, small_gathered, small_lenses
from small_scene import cam_from_world

from align.bundle import observations
from align.bundle.bundle_alignment import middle_depths
from align.bundle.model import BlockModel, Priors, prior_residuals
from align.bundle.observations import Observations, in_pieces, observe
from align.bundle.reprojection import (
    BlockState,
    Rows,
    block_sums,
    joined,
    project,
    robust_weights,
    squared_errors,
)
from align.solver.least_squares import Control, Step, minimise, solve

CAMERAS = (0, 1, 0)


def small_model(seed: int = 0, cut: float = 2.0, free_centre: bool = False) -> tuple[BlockModel, BlockState]:
    """Return three views of two cameras and a state a few degrees, percents and pixels off."""
    rng = np.random.default_rng(seed)
    gathered = small_gathered(3)
    middle = middle_depths(gathered.views)
    lenses = small_lenses(3, CAMERAS)
    lenses = replace(lenses, aspect=np.array([1.0, 1.1, 0.95]), free_centre=free_centre)
    obs = observe(gathered.views, middle, gathered.records, lenses)
    poses = cam_from_world(3).numpy()
    R = Rotation.from_rotvec(rng.normal(0, 0.03, (3, 3))).as_matrix() @ poses[:, :3, :3]
    t = poses[:, :3, 3] / middle.mean() + rng.normal(0, 0.03, (3, 3))
    offset = np.where(obs.block >= 0, rng.normal(0, 0.02, obs.block.shape), 0)
    shift = rng.normal(0, 0.5, (2, 2)) if free_centre else np.zeros((2, 2))
    state = BlockState(R, t, rng.normal(0, 0.03, 3), lenses.log_focal + rng.normal(0, 0.02, 2), shift, offset)
    offsets, wide = (np.zeros(obs.block.shape), np.full(3, 0.02)), np.full(3, 0.05)
    priors = Priors(
        lenses.log_focal,
        0.05,
        1.5,
        *offsets,
        poses[:, :3, :3],
        poses[:, :3, 3] / middle.mean(),
        np.zeros(3),
        0.1,
        wide,
        wide,
    )
    return BlockModel(obs, in_pieces(obs), lenses, priors, cut), state


def stepped(model: BlockModel, state: BlockState, x: np.ndarray) -> BlockState:
    """Return the state after a step of all unknowns (N + V B,)."""
    shared = 7 * len(state.log_size) + model.lenses.width * len(state.log_focal)
    return model.moved(state, Step(x[:shared], x[shared:].reshape(state.offset.shape)))


def differences(value, size: int, h: float) -> np.ndarray:
    """Return central differences of value(x) by each of `size` unknowns at 0."""
    return np.stack([(value(h * e) - value(-h * e)) / (2 * h) for e in np.eye(size)], -1)


@pytest.mark.parametrize("free_centre", [False, True])
def test_the_gradient_is_that_of_the_cost(free_centre: bool) -> None:
    model, state = small_model(free_centre=free_centre)
    equations = model.equations(state)
    gradient = np.concatenate([equations.gradient, equations.lone_gradient.ravel()])
    numeric = differences(lambda x: model.cost(stepped(model, state, x)), len(gradient), 1e-6)
    used = np.concatenate([np.ones(len(equations.gradient), bool), (model.obs.block >= 0).ravel()])
    np.testing.assert_allclose(gradient[used], numeric[used], atol=1e-6 * abs(numeric).max())


@pytest.mark.parametrize("free_centre", [False, True])
def test_every_column_agrees_with_differences(free_centre: bool) -> None:
    model, state = small_model(free_centre=free_centre)
    # Without priors the matrix is exactly J^T W J with the weights of the state.
    wide = 1e6
    each = np.full(3, wide)
    views = {"offset_sigma": each, "log_size_sigma": wide, "rotation_sigma": each, "place_sigma": each}
    model = replace(model, priors=replace(model.priors, log_focal_sigma=wide, shift_sigma=wide, **views))
    root = np.sqrt(robust_weights(project(model.obs, model.lenses, state), model.obs.weight, model.cut))
    J = differences(
        lambda x: (root * project(model.obs, model.lenses, stepped(model, state, x)).error).ravel(),
        _size(model, state),
        1e-6,
    )
    dense = J.T @ J
    scale = np.sqrt(np.diagonal(dense)) + 1e-6
    np.testing.assert_allclose(
        _dense(model, state)[0] / np.outer(scale, scale), dense / np.outer(scale, scale), atol=1e-6
    )


@pytest.mark.parametrize("free_centre", [False, True])
def test_eliminated_blocks_give_the_dense_solution(free_centre: bool) -> None:
    model, state = small_model(free_centre=free_centre)
    dense, gradient = _dense(model, state)
    free = np.ones(7 * 3 + 2 * model.lenses.width, bool)
    free[:6] = free[18] = False
    kept = np.concatenate([free, np.ones(state.offset.size, bool)])
    expected = np.zeros(len(gradient))
    expected[kept] = -np.linalg.solve(dense[np.ix_(kept, kept)], gradient[kept])
    step = solve(model.equations(state), free)
    assert step is not None
    np.testing.assert_allclose(
        np.concatenate([step.shared, step.lone.ravel()]), expected, rtol=0, atol=1e-9 * abs(expected).max()
    )


def _size(model: BlockModel, state: BlockState) -> int:
    return 7 * len(state.log_size) + model.lenses.width * len(state.log_focal) + state.offset.size


def _dense(model: BlockModel, state: BlockState) -> tuple[np.ndarray, np.ndarray]:
    """Return the equations as one matrix and its gradient."""
    equations = model.equations(state)
    shared, (num_groups, num_lone) = len(equations.gradient), equations.lone_diagonal.shape
    dense = np.diag(np.concatenate([np.zeros(shared), equations.lone_diagonal.ravel()]))
    dense[:shared, :shared] = equations.matrix
    for group in range(num_groups):
        for lone in range(num_lone):
            k = shared + group * num_lone + lone
            for value, column in zip(equations.coupling[group, lone], equations.columns[group]):
                if column < shared:
                    dense[k, column] += value
                    dense[column, k] += value
    return dense, np.concatenate([equations.gradient, equations.lone_gradient.ravel()])


def test_each_observation_falls_where_a_plain_projection_puts_it() -> None:
    model, state = small_model()
    obs, focal = model.obs, np.exp(state.log_focal)[model.lenses.camera]
    found = project(obs, model.lenses, state)
    run = np.repeat(np.arange(len(obs.run_direction)), np.diff(obs.run_start))
    for k in range(0, len(obs.depth), 37):
        source, target = obs.direction[obs.run_direction[run[k]]]
        depth = obs.depth[k] * np.exp(state.log_size[source] + state.offset[source, obs.run_lone[run[k]]])
        in_source = depth * np.append(obs.ray[:, k] / focal[source], 1)
        world = state.R_cam_from_world[source].T @ (in_source - state.t_cam_from_world[source])
        seen = state.R_cam_from_world[target] @ world + state.t_cam_from_world[target]
        np.testing.assert_allclose(
            found.error[:, k], focal[target] * seen[:2] / seen[2] - obs.seen[:, k], atol=1e-9
        )


def test_pieces_give_the_sums_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    model, state = small_model()
    monkeypatch.setattr(observations, "_PIECE", 300)
    pieces = in_pieces(model.obs)
    assert len(pieces) > 2

    def sums(obs: Observations):
        projection = project(obs, model.lenses, state)
        return block_sums(obs, model.lenses, state, projection, robust_weights(projection, obs.weight, 1.0))

    whole, parts = sums(model.obs), joined([sums(piece) for piece in pieces], Rows(model.lenses.width))
    np.testing.assert_allclose(parts.by_direction, whole.by_direction, rtol=1e-12)
    np.testing.assert_array_equal(parts.by_run, whole.by_run)


def test_points_behind_the_partner_have_no_say_in_the_equations() -> None:
    model, state = small_model()
    behind = replace(state, t_cam_from_world=state.t_cam_from_world - [0, 0, 5])
    turned = replace(behind, R_cam_from_world=np.stack([np.eye(3), np.diag([-1.0, 1, -1]), np.eye(3)]))
    projection = project(model.obs, model.lenses, turned)
    assert not projection.in_front.all()
    assert (robust_weights(projection, model.obs.weight, 1.0)[~projection.in_front] == 0).all()
    assert (squared_errors(projection)[~projection.in_front] == 1e4).all()
    assert np.isfinite(model.equations(turned).matrix).all()


def test_at_the_truth_nothing_pulls() -> None:
    lenses = small_lenses(3)
    gathered = small_gathered(3)
    middle = middle_depths(gathered.views)
    obs = observe(gathered.views, middle, gathered.records, lenses)
    poses = cam_from_world(3).numpy()
    state = BlockState(
        poses[:, :3, :3],
        poses[:, :3, 3],
        np.log(middle),
        lenses.log_focal,
        np.zeros((2, 2)),
        np.zeros(obs.block.shape),
    )
    assert np.sqrt(squared_errors(project(obs, lenses, state))).max() < 0.02


def test_a_free_principal_point_is_found_beside_known_poses() -> None:
    lenses = replace(small_lenses(3), free_centre=True)
    lenses = replace(lenses, principal_point=lenses.principal_point + np.array([1.5, -1.0]))
    gathered = small_gathered(3)
    middle = middle_depths(gathered.views)
    obs = observe(gathered.views, middle, gathered.records, lenses)
    poses = cam_from_world(3).numpy()
    R, t, size, wide = poses[:, :3, :3], poses[:, :3, 3], np.log(middle), np.full(3, 0.05)
    priors = Priors(
        lenses.log_focal, 0.05, 2.0, np.zeros(obs.block.shape), np.full(3, 0.02), R, t, size, 0.1, wide, wide
    )
    model = BlockModel(obs, in_pieces(obs), lenses, priors, 2.0)
    free = np.concatenate([np.zeros(18, bool), np.ones(3 + 3, bool)])
    state = BlockState(R, t, size, lenses.log_focal, np.zeros((1, 2)), np.zeros(obs.block.shape))
    found, _ = minimise(model, state, free, Control(max_steps=20, least_gain=1e-6))
    np.testing.assert_allclose(found.shift, [[-1.5, 1.0]], atol=0.05)
    np.testing.assert_allclose(
        lenses.K(found.log_focal, found.shift)[:, :2, 2], np.tile(CENTRE.numpy(), (3, 1)), atol=0.05
    )


def test_a_prior_at_its_own_state_is_silent() -> None:
    model, state = small_model()
    priors = replace(
        model.priors,
        R_cam_from_world=state.R_cam_from_world,
        t_cam_from_world=state.t_cam_from_world,
        log_size=state.log_size,
    )
    shared, _ = prior_residuals(replace(model, priors=replace(priors, log_focal=state.log_focal)), state)
    assert (
        abs(shared).max() < 1e-5
    )  # the logarithm of a turn by nothing is known to 1e-8, over a sigma of 0.1
