"""From cameras that a backend has fitted to matches: poses softly believed, K fixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from small_predictions import DEPTHS, ENTRIES, IN_ONE_UNIT, NUM_VIEWS, TRUTH, predictions, true_cameras

from align.evaluation.camera_errors import pair_errors
from align.global_alignment import align_predictions
from align.presets import POINTLOOM, with_fixed_poses
from align.scene import Scene
from masks.errors import GraphError
from masks.notice import Level
from pairs.views.cameras import Cameras

PIVOT = np.array([0, 0, 4.0])
"""The middle of the object, in every camera."""


def turned(turns_deg: np.ndarray) -> Cameras:
    """Return the true cameras, each turned by a rotation vector (V, 3) about the object."""
    poses = TRUTH.copy()
    R = Rotation.from_rotvec(np.deg2rad(turns_deg)).as_matrix()
    poses[:, :3, :3] = R @ poses[:, :3, :3]
    poses[:, :3, 3] = PIVOT + np.einsum("vij,vj->vi", R, TRUTH[:, :3, 3] - PIVOT)
    return Cameras(true_cameras().K, poses)


def aligned(cameras: Cameras) -> Scene:
    return align_predictions(predictions(IN_ONE_UNIT, cameras), POINTLOOM)


def worst_rotation_deg(found: Cameras) -> float:
    return float(pair_errors(found.cam_from_world, TRUTH)[0].max())


def test_exact_cameras_stay_where_they_are() -> None:
    scene = aligned(true_cameras())
    np.testing.assert_allclose(scene.cameras.cam_from_world, TRUTH, atol=1e-3)
    assert worst_rotation_deg(scene.cameras) < 0.01
    for seen, depth in zip(scene.views, DEPTHS):
        np.testing.assert_allclose(np.median(seen.depth / depth.numpy()), 1, rtol=1e-3)
    assert scene.report.notices == ()


@pytest.mark.parametrize("focal", [0.8, 1.0, 1.3])
def test_their_K_stays_to_the_bit_whatever_the_pointmaps_say(focal: float) -> None:
    cameras = true_cameras()
    cameras.K[:, [0, 1], [0, 1]] *= focal
    cameras.K[:, :2, 2] += np.random.default_rng(0).normal(0, 0.3, (NUM_VIEWS, 2))
    np.testing.assert_array_equal(aligned(cameras).cameras.K, cameras.K)


@pytest.mark.parametrize("seed", range(4))
def test_cameras_half_a_degree_off_come_nearer_to_the_truth_and_are_not_blamed(seed: int) -> None:
    start = turned(np.random.default_rng(seed).normal(0, 0.5 / np.sqrt(3), (NUM_VIEWS, 3)))
    scene = aligned(start)
    # Belief to a degree weighs much against the few matches of 48x32 pixels: ends are 0.50 to 0.67 of starts.
    assert worst_rotation_deg(scene.cameras) < 0.75 * worst_rotation_deg(start)
    assert scene.report.notices == ()


def test_one_view_three_degrees_off_is_repaired_and_named() -> None:
    start = turned(np.eye(NUM_VIEWS)[:, [3]] * [0, 3, 0])
    scene = aligned(start)
    assert worst_rotation_deg(scene.cameras) < 0.1
    said = [notice for notice in scene.report.notices if "contradicts its matches" in notice.text]
    assert [(notice.subject, notice.level) for notice in said] == [("3.jpg", Level.WARNING)]
    # Nobody has stated that pose: nobody is asked to check it.
    assert "backend" in said[0].text
    assert "given" not in said[0].text


def test_a_view_without_matches_stays_where_the_backend_sees_it() -> None:
    entries = {
        pair: entry if 4 not in pair else replace(entry, matches=None) for pair, entry in IN_ONE_UNIT.items()
    }
    scene = align_predictions(predictions(entries, true_cameras()), POINTLOOM)
    np.testing.assert_allclose(scene.cameras.cam_from_world, TRUTH, atol=1e-3)
    assert [n.subject for n in scene.report.notices if "no matches" in n.text] == ["4.jpg"]


def test_they_hold_views_together_that_no_pair_ties() -> None:
    apart = {pair: IN_ONE_UNIT[pair] for pair in ((0, 1), (2, 3), (3, 4))}
    scene = align_predictions(predictions(apart, true_cameras()), POINTLOOM)
    np.testing.assert_allclose(scene.cameras.cam_from_world, TRUTH, atol=2e-3)
    assert scene.report.notices == ()


def test_poses_alone_are_no_alignment() -> None:
    entries = {pair: replace(entry, matches=None) for pair, entry in IN_ONE_UNIT.items()}
    with pytest.raises(GraphError, match="no two views are tied"):
        align_predictions(predictions(entries, true_cameras()), POINTLOOM)


def test_fixed_they_stay_to_the_bit() -> None:
    cameras = turned(np.random.default_rng(0).normal(0, 0.1, (NUM_VIEWS, 3)))
    scene = align_predictions(predictions(IN_ONE_UNIT, cameras), with_fixed_poses(POINTLOOM))
    np.testing.assert_array_equal(scene.cameras.cam_from_world, cameras.cam_from_world)
    np.testing.assert_array_equal(scene.cameras.K, cameras.K)


def test_stated_poses_set_the_world_and_the_backends_K_stays() -> None:
    other_world = TRUTH @ np.linalg.inv(TRUTH[2])
    cameras = true_cameras()
    cameras.K[:, [0, 1], [0, 1]] *= 1.01
    given = predictions(ENTRIES, cameras)
    views = tuple(replace(view, cam_from_world=pose) for view, pose in zip(given.views, other_world))
    scene = align_predictions(replace(given, views=views), POINTLOOM)
    np.testing.assert_allclose(scene.cameras.cam_from_world, other_world, atol=0.03)
    np.testing.assert_array_equal(scene.cameras.K, cameras.K)


def test_a_stated_K_is_better_than_the_backends() -> None:
    cameras, stated = true_cameras(), true_cameras().K[0]
    cameras.K[:, [0, 1], [0, 1]] *= 1.1
    given = predictions(IN_ONE_UNIT, cameras)
    views = (replace(given.views[0], K=stated, camera="another"), *given.views[1:])
    found = align_predictions(replace(given, views=views), POINTLOOM).cameras.K
    np.testing.assert_array_equal(found[0], stated)
    np.testing.assert_array_equal(found[1:], cameras.K[1:])
