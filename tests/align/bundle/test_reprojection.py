"""Reprojection errors with depths by blocks: derivatives, sums, elimination."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from small_measurements import CENTRE, small_intrinsics, small_measurements
from small_scene import cam_from_world

from align.bundle import observations
from align.bundle.bundle_alignment import median_depths
from align.bundle.model import BundleModel, BundlePriors, prior_residuals
from align.bundle.observations import Observations, in_pieces, observe
from align.bundle.reprojection import (
    BundleState,
    JacobianRows,
    bundle_grams,
    concatenated,
    project_observations,
    robust_weights,
    squared_errors,
)
from align.solver.least_squares import LevenbergMarquardtOptions, Step, levenberg_marquardt, solve

CAMERAS = (0, 1, 0)


def small_model(
    seed: int = 0, kernel_width: float = 2.0, free_principal_point: bool = False
) -> tuple[BundleModel, BundleState]:
    """Return three views of two cameras and a state a few degrees, percents and pixels off."""
    rng = np.random.default_rng(seed)
    measurements = small_measurements(3)
    median = median_depths(measurements.views)
    intrinsics = small_intrinsics(3, CAMERAS)
    intrinsics = replace(
        intrinsics, aspect=np.array([1.0, 1.1, 0.95]), free_principal_point=free_principal_point
    )
    obs = observe(measurements.views, median, measurements.records, intrinsics)
    poses = cam_from_world(3).numpy()
    R = Rotation.from_rotvec(rng.normal(0, 0.03, (3, 3))).as_matrix() @ poses[:, :3, :3]
    t = poses[:, :3, 3] / median.mean() + rng.normal(0, 0.03, (3, 3))
    offset = np.where(obs.block >= 0, rng.normal(0, 0.02, obs.block.shape), 0)
    principal_point_offset = rng.normal(0, 0.5, (2, 2)) if free_principal_point else np.zeros((2, 2))
    state = BundleState(
        R,
        t,
        rng.normal(0, 0.03, 3),
        intrinsics.log_focal + rng.normal(0, 0.02, 2),
        principal_point_offset,
        offset,
    )
    offsets, wide = (np.zeros(obs.block.shape), np.full(3, 0.02)), np.full(3, 0.05)
    priors = BundlePriors(
        intrinsics.log_focal,
        0.05,
        1.5,
        *offsets,
        poses[:, :3, :3],
        poses[:, :3, 3] / median.mean(),
        np.zeros(3),
        0.1,
        wide,
        wide,
    )
    return BundleModel(obs, in_pieces(obs), intrinsics, priors, kernel_width), state


def stepped(model: BundleModel, state: BundleState, x: np.ndarray) -> BundleState:
    """Return the state after a step of all unknowns (N + V B,)."""
    shared = 7 * len(state.log_scale) + model.intrinsics.num_params * len(state.log_focal)
    return model.retract(state, Step(x[:shared], x[shared:].reshape(state.offset.shape)))


def differences(value, size: int, h: float) -> np.ndarray:
    """Return central differences of value(x) by each of `size` unknowns at 0."""
    return np.stack([(value(h * e) - value(-h * e)) / (2 * h) for e in np.eye(size)], -1)


@pytest.mark.parametrize("free_principal_point", [False, True])
def test_the_gradient_is_that_of_the_cost(free_principal_point: bool) -> None:
    model, state = small_model(free_principal_point=free_principal_point)
    equations = model.equations(state)
    gradient = np.concatenate([equations.gradient, equations.eliminated_gradient.ravel()])
    numeric = differences(lambda x: model.cost(stepped(model, state, x)), len(gradient), 1e-6)
    used = np.concatenate([np.ones(len(equations.gradient), bool), (model.obs.block >= 0).ravel()])
    np.testing.assert_allclose(gradient[used], numeric[used], atol=1e-6 * abs(numeric).max())


@pytest.mark.parametrize("free_principal_point", [False, True])
def test_every_column_agrees_with_differences(free_principal_point: bool) -> None:
    model, state = small_model(free_principal_point=free_principal_point)
    # Without priors the matrix is exactly J^T W J with the weights of the state.
    wide = 1e6
    each = np.full(3, wide)
    views = {"offset_sigma": each, "log_scale_sigma": wide, "rotation_sigma": each, "centre_sigma": each}
    model = replace(
        model, priors=replace(model.priors, log_focal_sigma=wide, principal_point_sigma=wide, **views)
    )
    root = np.sqrt(
        robust_weights(
            project_observations(model.obs, model.intrinsics, state), model.obs.weight, model.kernel_width
        )
    )
    J = differences(
        lambda x: (
            root * project_observations(model.obs, model.intrinsics, stepped(model, state, x)).error
        ).ravel(),
        _size(model, state),
        1e-6,
    )
    dense = J.T @ J
    scale = np.sqrt(np.diagonal(dense)) + 1e-6
    np.testing.assert_allclose(
        _dense(model, state)[0] / np.outer(scale, scale), dense / np.outer(scale, scale), atol=1e-6
    )


@pytest.mark.parametrize("free_principal_point", [False, True])
def test_eliminated_blocks_give_the_dense_solution(free_principal_point: bool) -> None:
    model, state = small_model(free_principal_point=free_principal_point)
    dense, gradient = _dense(model, state)
    free = np.ones(7 * 3 + 2 * model.intrinsics.num_params, bool)
    free[:6] = free[18] = False
    kept = np.concatenate([free, np.ones(state.offset.size, bool)])
    expected = np.zeros(len(gradient))
    expected[kept] = -np.linalg.solve(dense[np.ix_(kept, kept)], gradient[kept])
    step = solve(model.equations(state), free)
    assert step is not None
    np.testing.assert_allclose(
        np.concatenate([step.shared, step.eliminated.ravel()]),
        expected,
        rtol=0,
        atol=1e-9 * abs(expected).max(),
    )


def _size(model: BundleModel, state: BundleState) -> int:
    return 7 * len(state.log_scale) + model.intrinsics.num_params * len(state.log_focal) + state.offset.size


def _dense(model: BundleModel, state: BundleState) -> tuple[np.ndarray, np.ndarray]:
    """Return the equations as one matrix and its gradient."""
    equations = model.equations(state)
    shared, (num_groups, num_eliminated) = len(equations.gradient), equations.eliminated_diagonal.shape
    dense = np.diag(np.concatenate([np.zeros(shared), equations.eliminated_diagonal.ravel()]))
    dense[:shared, :shared] = equations.matrix
    for group in range(num_groups):
        for eliminated in range(num_eliminated):
            k = shared + group * num_eliminated + eliminated
            for value, column in zip(equations.coupling[group, eliminated], equations.columns[group]):
                if column < shared:
                    dense[k, column] += value
                    dense[column, k] += value
    return dense, np.concatenate([equations.gradient, equations.eliminated_gradient.ravel()])


def test_each_observation_falls_where_a_plain_projection_puts_it() -> None:
    model, state = small_model()
    obs, focal = model.obs, np.exp(state.log_focal)[model.intrinsics.camera]
    found = project_observations(obs, model.intrinsics, state)
    run = np.repeat(np.arange(len(obs.run_direction)), np.diff(obs.run_start))
    for k in range(0, len(obs.depth), 37):
        source, target = obs.direction[obs.run_direction[run[k]]]
        depth = obs.depth[k] * np.exp(state.log_scale[source] + state.offset[source, obs.run_block[run[k]]])
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
        projection = project_observations(obs, model.intrinsics, state)
        return bundle_grams(
            obs, model.intrinsics, state, projection, robust_weights(projection, obs.weight, 1.0)
        )

    whole, parts = (
        sums(model.obs),
        concatenated([sums(piece) for piece in pieces], JacobianRows(model.intrinsics.num_params)),
    )
    np.testing.assert_allclose(parts.by_direction, whole.by_direction, rtol=1e-12)
    np.testing.assert_array_equal(parts.by_run, whole.by_run)


def test_points_behind_the_partner_have_no_say_in_the_equations() -> None:
    model, state = small_model()
    behind = replace(state, t_cam_from_world=state.t_cam_from_world - [0, 0, 5])
    turned = replace(behind, R_cam_from_world=np.stack([np.eye(3), np.diag([-1.0, 1, -1]), np.eye(3)]))
    projection = project_observations(model.obs, model.intrinsics, turned)
    assert not projection.in_front.all()
    assert (robust_weights(projection, model.obs.weight, 1.0)[~projection.in_front] == 0).all()
    assert (squared_errors(projection)[~projection.in_front] == 1e4).all()
    assert np.isfinite(model.equations(turned).matrix).all()


def test_at_the_truth_nothing_pulls() -> None:
    intrinsics = small_intrinsics(3)
    measurements = small_measurements(3)
    median = median_depths(measurements.views)
    obs = observe(measurements.views, median, measurements.records, intrinsics)
    poses = cam_from_world(3).numpy()
    state = BundleState(
        poses[:, :3, :3],
        poses[:, :3, 3],
        np.log(median),
        intrinsics.log_focal,
        np.zeros((2, 2)),
        np.zeros(obs.block.shape),
    )
    assert np.sqrt(squared_errors(project_observations(obs, intrinsics, state))).max() < 0.02


def test_a_free_principal_point_is_found_beside_known_poses() -> None:
    intrinsics = replace(small_intrinsics(3), free_principal_point=True)
    intrinsics = replace(intrinsics, principal_point=intrinsics.principal_point + np.array([1.5, -1.0]))
    measurements = small_measurements(3)
    median = median_depths(measurements.views)
    obs = observe(measurements.views, median, measurements.records, intrinsics)
    poses = cam_from_world(3).numpy()
    R, t, size, wide = poses[:, :3, :3], poses[:, :3, 3], np.log(median), np.full(3, 0.05)
    priors = BundlePriors(
        intrinsics.log_focal,
        0.05,
        2.0,
        np.zeros(obs.block.shape),
        np.full(3, 0.02),
        R,
        t,
        size,
        0.1,
        wide,
        wide,
    )
    model = BundleModel(obs, in_pieces(obs), intrinsics, priors, 2.0)
    free = np.concatenate([np.zeros(18, bool), np.ones(3 + 3, bool)])
    state = BundleState(R, t, size, intrinsics.log_focal, np.zeros((1, 2)), np.zeros(obs.block.shape))
    found, _ = levenberg_marquardt(
        model, state, free, LevenbergMarquardtOptions(max_steps=20, relative_tolerance=1e-6)
    )
    np.testing.assert_allclose(found.principal_point_offset, [[-1.5, 1.0]], atol=0.05)
    np.testing.assert_allclose(
        intrinsics.K(found.log_focal, found.principal_point_offset)[:, :2, 2],
        np.tile(CENTRE.numpy(), (3, 1)),
        atol=0.05,
    )


def test_a_prior_at_its_own_state_is_silent() -> None:
    model, state = small_model()
    priors = replace(
        model.priors,
        R_cam_from_world=state.R_cam_from_world,
        t_cam_from_world=state.t_cam_from_world,
        log_scale=state.log_scale,
    )
    shared, _ = prior_residuals(replace(model, priors=replace(priors, log_focal=state.log_focal)), state)
    assert (
        abs(shared).max() < 1e-5
    )  # the logarithm of a turn by nothing is known to 1e-8, over a sigma of 0.1
