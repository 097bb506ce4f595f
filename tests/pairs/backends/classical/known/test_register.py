"""Cameras by their places."""

from __future__ import annotations

import numpy as np
from posed_ring import TRUE, K, pose

from align.rotations import rotation_of
from pairs.backends.classical.known.register import near_cameras, registered
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.views.cameras import Cameras, camera_centres


def model_in_another_world() -> MapperModel:
    """The ring turned, moved and three times as large."""
    turn, moved = rotation_of(np.array([0.4, -0.2, 0.7])), TRUE.copy()
    centres = 3 * camera_centres(TRUE) @ turn.T + (1, 2, 3)
    moved[:, :3, :3] = TRUE[:, :3, :3] @ turn.T
    moved[:, :3, 3] = -np.einsum("vij,vj->vi", moved[:, :3, :3], centres)
    none = np.zeros(0, np.int32)
    cameras = Cameras(np.tile(K, (len(TRUE), 1, 1)), moved)
    return MapperModel(tuple(range(len(TRUE))), cameras, np.zeros((0, 3)), none, none, none)


def test_a_solved_scene_is_brought_to_two_known_cameras() -> None:
    found = registered(model_in_another_world(), {2: TRUE[2], 7: TRUE[7]})
    assert sorted(found) == [k for k in range(len(TRUE)) if k not in (2, 7)]
    for view, matrix in found.items():
        np.testing.assert_allclose(matrix, TRUE[view], atol=1e-9)


def test_one_known_camera_sets_place_and_turn() -> None:
    found = registered(model_in_another_world(), {2: TRUE[2]})
    np.testing.assert_allclose(found[3][:3, :3], TRUE[3, :3, :3], atol=1e-9)


def test_near_cameras_stand_side_by_side_and_look_alike() -> None:
    stated = {k: pose(20.0 * k, 20) for k in range(18)}
    pairs = near_cameras(stated)
    assert {(k, k + 1) for k in range(17)} <= set(pairs)
    assert all(min(b - a, 18 - b + a) <= 3 for a, b in pairs)
    assert near_cameras({0: TRUE[0]}) == []
