"""Triangulation and resection at known poses, on made-up matches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from posed_ring import SIZE, TRUE, K, key_points, verified

from align.rotations import angle_between, rotation_of
from pairs.backends.classical.known_mapper import KnownPosesJob, run_known_mapper
from pairs.backends.classical.sfm.mapper import CameraStart, MapperModel, solve_apart
from pairs.engines.processes import ProcessWorkers
from pairs.views.cameras import camera_centres

pytest.importorskip("pycolmap", reason="the scene solve needs pycolmap")
STATED = dict(enumerate(TRUE))


def job(**changes: object) -> KnownPosesJob:
    xy = key_points()
    start = CameraStart(SIZE, K, prior=True, fixed=True)
    whole = KnownPosesJob(xy, (start,), (0,) * len(xy), verified(xy), seed=0, cam_from_world=STATED)
    return replace(whole, **changes)


def solved(job: KnownPosesJob) -> MapperModel:
    model = solve_apart(job, ProcessWorkers(1), run_known_mapper)
    assert model is not None
    return model


def largest_turn_deg(model: MapperModel) -> float:
    true = TRUE[list(model.placed)]
    return float(np.degrees(angle_between(model.cameras.cam_from_world[:, :3, :3], true[:, :3, :3]).max()))


def test_points_are_made_at_the_poses_which_stay() -> None:
    model = solved(job())
    assert model.placed == tuple(range(len(TRUE)))
    assert len(model.points) > 100
    np.testing.assert_allclose(model.cameras.cam_from_world, TRUE, atol=1e-12)


def test_views_without_a_pose_are_placed_in_the_world_of_the_others() -> None:
    model = solved(job(cam_from_world={k: pose for k, pose in STATED.items() if k % 3}))
    assert model.placed == tuple(range(len(TRUE)))
    assert largest_turn_deg(model) < 0.1
    np.testing.assert_allclose(model.cameras.centres, camera_centres(TRUE), atol=0.02)
    for k, view in enumerate(model.placed):
        if view % 3:
            np.testing.assert_allclose(model.cameras.cam_from_world[k], TRUE[view], atol=1e-12)


def test_an_unknown_focal_follows_from_fixed_poses() -> None:
    guess = K.copy()
    guess[0, 0] = guess[1, 1] = 850.0
    model = solved(job(cameras=(CameraStart(SIZE, guess, prior=False, fixed=False),), start_px=30.0))
    np.testing.assert_allclose(model.cameras.K[0, 0, 0], 900, rtol=0.002)


def test_soft_poses_are_improved_and_their_world_stays() -> None:
    turn = rotation_of(np.random.default_rng(2).normal(0, np.deg2rad(1.0) / 3**0.5, (len(TRUE), 3)))
    off = TRUE.copy()
    off[:, :3, :3] = turn @ TRUE[:, :3, :3]
    off[:, :3, 3] = -np.einsum("vij,vj->vi", off[:, :3, :3], camera_centres(TRUE))
    model = solved(job(cam_from_world=dict(enumerate(off)), fixed=False, start_px=40.0, centre_sigma=0.06))
    assert largest_turn_deg(model) < 0.3
    np.testing.assert_allclose(model.cameras.centres, camera_centres(TRUE), atol=0.05)


def test_a_stated_view_that_no_pair_holds_is_no_obstacle() -> None:
    pairs = {pair: found for pair, found in job().pairs.items() if 2 not in pair}
    model = solved(job(pairs=pairs))
    assert model.placed == tuple(view for view in range(len(TRUE)) if view != 2)
