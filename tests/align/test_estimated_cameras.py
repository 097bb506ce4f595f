"""From cameras that a network estimates: believed a little, improved by matches, or held to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from simulated_network import oracle_or_skip
from small_predictions import IN_ONE_UNIT, NUM_VIEWS, TRUTH, predictions, true_cameras
from small_scene import intrinsics

from align.evaluation.camera_errors import pair_errors
from align.global_alignment import align_predictions
from align.presets import POINTLOOM, PRESETS, with_fixed_poses
from masks.errors import GraphError, UserError
from masks.mask import Mask
from masks.pixelmap import identity
from pairs.prediction.from_group import pair_from_group
from pairs.prediction.predictions import GroupPrediction, Matches, Predictions
from pairs.views.cameras import Cameras
from pairs.views.view import View

SIZE = (224, 160)


def disturbed(deg: float, focal: float, seed: int = 0) -> Cameras:
    """Return the true cameras with every one turned about the object, and all focals off by a share."""
    rng = np.random.default_rng(seed)
    pose = TRUTH.copy()
    pose[:, :3, :3] = (
        Rotation.from_rotvec(rng.normal(0, np.deg2rad(deg), (NUM_VIEWS, 3))).as_matrix() @ pose[:, :3, :3]
    )
    pivot = np.array([0, 0, 4.0])  # the object, in every camera
    turn = pose[:, :3, :3] @ TRUTH[:, :3, :3].transpose(0, 2, 1)
    pose[:, :3, 3] = pivot + np.einsum("vij,vj->vi", turn, TRUTH[:, :3, 3] - pivot)
    K = true_cameras().K.copy()
    K[:, [0, 1], [0, 1]] *= 1 + focal
    return Cameras(K, pose)


def estimated(cameras: Cameras) -> Predictions:
    return replace(predictions(IN_ONE_UNIT, cameras), camera_source="network")


def worst_rotation_deg(found: Cameras) -> float:
    return float(pair_errors(found.cam_from_world, TRUTH)[0].max())


def test_matches_outweigh_estimates() -> None:
    start = disturbed(2.0, 0.0)
    assert worst_rotation_deg(start) > 2
    assert worst_rotation_deg(align_predictions(estimated(start), POINTLOOM).cameras) < 0.3


def test_estimates_set_the_world() -> None:
    start = disturbed(0.5, 0.0)
    found = align_predictions(estimated(start), POINTLOOM).cameras
    np.testing.assert_allclose(found.cam_from_world, start.cam_from_world, atol=0.05)


def test_frozen_estimates_stay_to_the_bit() -> None:
    scene = align_predictions(estimated(true_cameras()), with_fixed_poses(POINTLOOM))
    np.testing.assert_array_equal(scene.cameras.cam_from_world, TRUTH)
    assert abs(scene.cameras.K[0, 0, 0] / intrinsics()[0, 0] - 1) < 0.01


def test_frozen_adjusted_cameras_stay_too() -> None:
    scene = align_predictions(predictions(IN_ONE_UNIT, true_cameras()), with_fixed_poses(POINTLOOM))
    np.testing.assert_array_equal(scene.cameras.cam_from_world, TRUTH)


def test_stated_poses_are_better_than_estimates() -> None:
    given = estimated(disturbed(2.0, 0.0))
    stated = tuple(replace(view, cam_from_world=pose) for view, pose in zip(given.views, TRUTH))
    found = align_predictions(replace(given, views=stated), POINTLOOM).cameras
    np.testing.assert_allclose(found.cam_from_world, TRUTH, atol=0.02)


def test_a_view_without_matches_stays_where_the_backend_sees_it() -> None:
    entries = {
        pair: entry if 4 not in pair else replace(entry, matches=None) for pair, entry in IN_ONE_UNIT.items()
    }
    given = replace(predictions(entries, true_cameras()), camera_source="network")
    scene = align_predictions(given, POINTLOOM)
    assert len(scene.views) == NUM_VIEWS
    assert worst_rotation_deg(scene.cameras) < 0.2


def test_no_match_at_all_is_no_alignment() -> None:
    entries = {pair: replace(entry, matches=None) for pair, entry in IN_ONE_UNIT.items()}
    with pytest.raises(GraphError, match="no two views are tied"):
        align_predictions(replace(predictions(entries, true_cameras()), camera_source="network"), POINTLOOM)


def test_the_references_presets_ignore_estimates_and_cannot_freeze() -> None:
    with pytest.raises(UserError, match="Use `preset=pointloom or dense or"):
        with_fixed_poses(PRESETS["mast3r"])


def simulated(shape: str, seed: int, start_deg: float, focal: float) -> tuple[Predictions, np.ndarray]:
    """Return what a simulated network of groups says of a masked turntable of 16 views, with matches of a
    pair network as tracks; and true poses.
    """
    oracle = oracle_or_skip()
    scene = oracle.make_scene(shape, views=16, layout="ring", size=SIZE, backdrop="static", seed=seed)
    said, true = oracle.predict_group(scene, seed=seed, masked=True), oracle.true_poses(scene)[0]
    pose = np.tile(np.eye(4), (16, 1, 1))
    pose[:, :3] = oracle.perturb_poses(true[:, :3], start_deg, 0.02, seed) if start_deg else true[:, :3]
    pose[:, :3, 3] *= said["scale"]
    K = said["K"].copy()
    K[:, [0, 1], [0, 1]] *= 1 + focal
    seen = [scene.view(k) for k in range(16)]
    views = tuple(
        View(f"{k}", None, view.image, identity(SIZE), Mask(view.mask, "oracle"), f"{k}", camera="one")
        for k, view in enumerate(seen)
    )
    group = GroupPrediction(
        Cameras(K, pose), tuple(np.maximum(d, 1e-3) for d in said["depth"]), tuple(said["depth_conf"])
    )
    edges = tuple(oracle.scene_graph(16, "window", 7))
    matches = []
    for edge in edges:
        pair = oracle.predict_pair(scene, *edge, seed=seed)
        matches.append(Matches(pair["xy_i"].astype(float), pair["xy_j"].astype(float), pair["match_conf"]))
    return Predictions(
        views, edges, lambda k: pair_from_group(group, *edges[k], matches[k]), group.cameras, (), "network"
    ), true


@pytest.mark.slow
def test_a_turntable_two_degrees_and_a_tenth_of_the_focal_off_ends_below_a_fifth_of_a_degree() -> None:
    given, true = simulated("vase", 1, start_deg=2.0, focal=0.1)
    pose_metrics = oracle_or_skip().metrics.pose_metrics
    assert given.cameras is not None
    assert pose_metrics(given.cameras.cam_from_world, true)["rotation_deg"]["median"] > 1
    scene = align_predictions(given, POINTLOOM)
    assert pose_metrics(scene.cameras.cam_from_world, true)["rotation_deg"]["median"] < 0.2


@pytest.mark.slow
def test_exact_poses_of_a_turntable_stay_exact_when_they_are_frozen() -> None:
    given, _ = simulated("mug", 0, start_deg=0.0, focal=0.1)
    scene = align_predictions(given, with_fixed_poses(POINTLOOM))
    assert given.cameras is not None
    np.testing.assert_array_equal(scene.cameras.cam_from_world, given.cameras.cam_from_world)
