"""Figures against the truth."""

from dataclasses import replace

import numpy as np
import pytest
import roma
import torch
from hypothesis import given
from hypothesis import strategies as st

from align.evaluation.camera_errors import evaluate, pair_errors, rotation_errors_deg
from align.export.cameras_json import PhotoCamera
from align.scene import Report, Scene, SceneView
from masks.errors import FormatError
from masks.pixelmap import identity
from pairs.views.cameras import Cameras

NUM_VIEWS = 6


def ring(seed: int = 0) -> np.ndarray:
    """Poses (V, 4, 4) about the origin, a little irregular."""
    rng = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (NUM_VIEWS, 1, 1))
    for k in range(NUM_VIEWS):
        angle = 2 * np.pi * k / NUM_VIEWS + rng.uniform(-0.1, 0.1)
        poses[k, :3, :3] = roma.rotvec_to_rotmat(torch.tensor([0.2, angle, 0.0], dtype=torch.float64)).numpy()
        poses[k, :3, 3] = [rng.uniform(-0.1, 0.1), 0, 4]
    return poses


def moved(poses: np.ndarray, seed: int) -> np.ndarray:
    """The same cameras in a world that is turned, shifted and scaled."""
    rng = np.random.default_rng(seed)
    world = np.eye(4)
    world[:3, :3] = roma.random_rotmat(
        dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    ).numpy()
    world[:3, 3] = rng.uniform(-5, 5, 3)
    out = poses @ world
    out[:, :3, 3] *= rng.uniform(0.2, 4)
    return out


def scene_of(poses: np.ndarray, K: np.ndarray, names: list[str], inputs: list[str] | None = None) -> Scene:
    grid = np.zeros((8, 8), np.float32)
    views = tuple(
        SceneView(n, "one", identity((8, 8)), grid, grid, np.zeros((8, 8, 3), np.uint8), grid > 0)
        for n in names
    )
    return Scene(views, Cameras(np.tile(K, (len(names), 1, 1)), poses), tuple(inputs or names), (), Report())


K = np.array([[10.0, 0, 3.5], [0, 10, 3.5], [0, 0, 1]])
NAMES = [f"{k}.jpg" for k in range(NUM_VIEWS)]


def truth(poses: np.ndarray) -> list[PhotoCamera]:
    return [PhotoCamera(f"images/{n}", 8, 8, K, p[:3, :3], p[:3, 3]) for n, p in zip(NAMES, poses)]


@given(st.integers(0, 2**16))
def test_the_world_of_a_scene_does_not_matter(seed: int) -> None:
    poses = ring()
    found = evaluate(scene_of(moved(poses, seed), K, NAMES), truth(poses))
    assert (found.views, found.registered) == (NUM_VIEWS, NUM_VIEWS)
    assert found.rra["5"] == found.rta["5"] == found.auc["30"] == 100
    assert found.rotation_error_deg["max"] is not None
    assert found.rotation_error_deg["max"] < 1e-5
    assert found.ate is not None
    assert found.ate < 1e-7
    assert found.focal_error == 0


def test_one_turned_view_is_seen_with_its_angle() -> None:
    poses = ring()
    wrong = poses.copy()
    turn = roma.rotvec_to_rotmat(torch.tensor([0.0, np.deg2rad(20), 0.0], dtype=torch.float64)).numpy()
    wrong[2, :3] = turn @ wrong[2, :3]
    rotation, _ = pair_errors(wrong, poses)
    assert np.sort(rotation)[-5:] == pytest.approx([20] * 5, abs=1e-6)
    assert evaluate(scene_of(wrong, K, NAMES), truth(poses)).rra["15"] == pytest.approx(100 * 10 / 15)
    assert rotation_errors_deg(wrong, poses).argmax() == 2


def test_pairs_of_a_missing_view_count_as_failed() -> None:
    poses = ring()
    found = evaluate(scene_of(poses[1:], K, NAMES[1:], NAMES), truth(poses))
    assert (found.views, found.registered) == (6, 5)
    assert found.rra["5"] == pytest.approx(100 * 10 / 15)
    assert found.rta["15"] == pytest.approx(100 * 10 / 15)


def test_true_cameras_of_photos_that_were_not_given_do_not_count() -> None:
    poses = ring()
    found = evaluate(scene_of(poses[::2], K, NAMES[::2]), truth(poses))
    assert (found.views, found.registered) == (3, 3)
    assert found.rra["5"] == 100


def test_pairs_at_one_place_have_no_direction() -> None:
    poses = ring()
    poses[1] = poses[0]
    found = poses.copy()
    found[1, :3, 3] += [0.01, 0.02, 0]  # a direction of pure noise
    assert evaluate(scene_of(found, K, NAMES), truth(poses)).rta["5"] == 100


def test_a_single_placed_view_has_no_errors_but_failed_pairs() -> None:
    poses = ring()
    found = evaluate(scene_of(poses[:1], K, NAMES[:1], NAMES), truth(poses))
    assert found.registered == 1
    assert found.rra["15"] == 0
    assert found.rotation_error_deg == {"median": None, "max": None}
    assert found.ate is None


def test_focals_are_compared_at_the_photos_size() -> None:
    poses = ring()
    doubled = [replace(c, width=16, height=16, K=c.K * 2.2) for c in truth(poses)]
    assert evaluate(scene_of(poses, K, NAMES), doubled).focal_error == pytest.approx(1 - 1 / 1.1)


def test_foreign_cameras_are_an_error() -> None:
    poses = ring()
    foreign = [replace(c, file=f"z{k}.jpg") for k, c in enumerate(truth(poses))]
    with pytest.raises(FormatError, match="fewer than two"):
        evaluate(scene_of(poses, K, NAMES), foreign)
