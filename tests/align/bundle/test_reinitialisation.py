"""A view placed anew from the points of the others."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation
from small_measurements import small_intrinsics, small_measurements
from small_scene import FOCAL, cam_from_world

from align.bundle.bundle_alignment import median_depths
from align.bundle.observations import observe
from align.bundle.reinitialisation import reinitialised_start
from align.bundle.reprojection import BundleState
from align.initial.resection import resect
from align.initial.start import Start

TRUE = cam_from_world(4).numpy()


def with_view_one_lost(root: int) -> tuple[Start, Start]:
    """Return a start in which view 1 is lost, and the start with that view placed anew."""
    measurements = small_measurements(4)
    median = median_depths(measurements.views)
    obs = observe(measurements.views, median, measurements.records, small_intrinsics(4))
    R, t = TRUE[:, :3, :3].copy(), TRUE[:, :3, 3].copy()
    R[1], t[1] = Rotation.from_euler("y", 170, degrees=True).as_matrix() @ R[1], t[1] + 3
    state = BundleState(
        R, t, np.log(median), np.array([np.log(FOCAL)]), np.zeros((1, 2)), np.zeros(obs.block.shape)
    )
    start = Start(R, t, np.zeros(4), root, np.zeros(0, bool), False)
    return start, reinitialised_start(start, [1], obs, small_intrinsics(4), state)


def test_a_lost_view_is_found_and_the_others_stay() -> None:
    start, found = with_view_one_lost(root=0)
    np.testing.assert_allclose(found.R_cam_from_world, TRUE[:, :3, :3], atol=2e-3)
    np.testing.assert_allclose(found.t_cam_from_world, TRUE[:, :3, 3], atol=1e-2)
    np.testing.assert_array_equal(
        np.delete(found.R_cam_from_world, 1, 0), np.delete(start.R_cam_from_world, 1, 0)
    )


def test_a_lost_root_stays_what_the_world_hangs_on() -> None:
    start, found = with_view_one_lost(root=1)
    np.testing.assert_array_equal(found.R_cam_from_world[1], start.R_cam_from_world[1])
    np.testing.assert_array_equal(found.t_cam_from_world[1], start.t_cam_from_world[1])
    turn = found.R_cam_from_world[1].T @ TRUE[1, :3, :3]
    np.testing.assert_allclose(found.R_cam_from_world @ turn, TRUE[:, :3, :3], atol=4e-3)
    relative = (
        found.t_cam_from_world
        - found.R_cam_from_world @ found.R_cam_from_world[1].T @ found.t_cam_from_world[1]
    )
    expected = TRUE[:, :3, 3] - TRUE[:, :3, :3] @ TRUE[1, :3, :3].T @ TRUE[1, :3, 3]
    np.testing.assert_allclose(relative, expected, atol=3e-2)


def test_wrong_matches_do_not_move_a_resected_camera() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform([-1, -1, 4], [1, 1, 6], (60, 3))
    R, t = Rotation.from_euler("xyz", [10, -30, 5], degrees=True).as_matrix(), np.array([0.2, -0.1, 1.0])
    seen = points @ R.T + t
    pixels = 200 * seen[:, :2] / seen[:, 2:]
    pixels[:24] = rng.uniform(-100, 100, (24, 2))
    found = resect(points, pixels, 200.0)
    assert found is not None
    np.testing.assert_allclose(found[0], R, atol=1e-6)
    np.testing.assert_allclose(found[1], t, atol=1e-6)


def test_too_few_points_and_matches_at_random_give_no_camera() -> None:
    rng = np.random.default_rng(1)
    points, pixels = rng.uniform([-1, -1, 4], [1, 1, 6], (40, 3)), rng.uniform(-100, 100, (40, 2))
    assert resect(points[:11], pixels[:11], 200.0) is None
    assert resect(points, pixels, 200.0) is None
