"""Poses that the user states: how far they are believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from small_predictions import TRUTH, predictions

from align.bundle.options import BundleOptions
from align.global_alignment import align_predictions
from align.measurements.known_cameras import PosePrior
from align.presets import POINTLOOM, with_fixed_poses
from align.scene import Scene
from masks.notice import Level
from pairs.prediction.predictions import Predictions


def stated(poses: np.ndarray) -> Predictions:
    given = predictions()
    return replace(
        given, views=tuple(replace(view, cam_from_world=pose) for view, pose in zip(given.views, poses))
    )


def turned(view: int, degrees: float) -> np.ndarray:
    """Return the true poses, one camera turned about itself."""
    poses = TRUTH.copy()
    poses[view, :3] = Rotation.from_euler("y", degrees, degrees=True).as_matrix() @ poses[view, :3]
    return poses


def turns_deg(scene: Scene, poses: np.ndarray) -> np.ndarray:
    """Return by what angle (V,) every camera of a scene is turned from poses of the same world."""
    return np.rad2deg(
        Rotation.from_matrix(
            scene.cameras.cam_from_world[:, :3, :3] @ poses[:, :3, :3].transpose(0, 2, 1)
        ).magnitude()
    )


@pytest.mark.parametrize("degrees", [3, 20])
@pytest.mark.parametrize("sigma", [0.01, 1.0])
def test_one_wrong_pose_is_named_and_draws_no_other_view_after_it(degrees: float, sigma: float) -> None:
    solver = BundleOptions(pose_prior=PosePrior(sigma, 0.01 * sigma))
    scene = align_predictions(stated(turned(3, degrees)), replace(POINTLOOM, aligner=solver))
    assert turns_deg(scene, TRUTH).max() < 0.3
    assert [n.subject for n in scene.report.notices if "given pose" in n.text] == ["3.jpg"]
    assert {n.level for n in scene.report.notices if "given pose" in n.text} == {Level.WARNING}


def test_poses_a_little_off_stay_the_world_and_are_not_blamed() -> None:
    rng = np.random.default_rng(3)
    poses = TRUTH.copy()
    poses[:, :3] = (
        Rotation.from_rotvec(np.deg2rad(rng.normal(0, 1 / np.sqrt(3), (5, 3)))).as_matrix() @ poses[:, :3]
    )
    scene = align_predictions(stated(poses), POINTLOOM)
    assert turns_deg(scene, TRUTH).max() < 1.0
    assert scene.report.notices == ()


def test_a_frozen_wrong_pose_stays() -> None:
    poses = turned(3, 3)
    scene = align_predictions(stated(poses), with_fixed_poses(POINTLOOM))
    np.testing.assert_array_equal(scene.cameras.cam_from_world, poses)


@pytest.mark.parametrize(("degrees", "doubted"), [(0.0, False), (6.0, True)])
def test_frozen_poses_that_hardly_fit_the_matches_are_doubted(degrees: float, doubted: bool) -> None:
    poses = TRUTH.copy()
    turns = np.deg2rad(np.random.default_rng(0).normal(0, degrees / np.sqrt(3), (5, 3)))
    poses[:, :3] = Rotation.from_rotvec(turns).as_matrix() @ poses[:, :3]
    scene = align_predictions(stated(poses), with_fixed_poses(POINTLOOM))
    assert any("Believe them softly" in n.text for n in scene.report.notices) == doubted
