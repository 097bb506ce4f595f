from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pycolmap", reason="no wheel of pycolmap for this platform")

from align.localise.absolute_pose import AbsolutePose, PoseOptions, QueryCamera, absolute_pose
from align.rotations import angle_between, rotation_of, rotation_vector
from pairs.views.cameras import camera_centres

SIZE = (640, 480)
K = np.array([[620, 0, 318.5], [0, 615, 242], [0, 0, 1.0]])
DISTORTION = (-0.12, 0.03, 0.001, -0.002)


def scene(seed: int = 0, num_points: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return world points (N, 3), the pose (4, 4) of a camera before them, and their places (N, 3) in it."""
    rng = np.random.default_rng(seed)
    in_cam = rng.uniform((-2, -1.5, 4), (2, 1.5, 8), (num_points, 3))
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation_of(rng.normal(size=3)), rng.normal(size=3)
    return (in_cam - pose[:3, 3]) @ pose[:3, :3], pose, in_cam


def seen(in_cam: np.ndarray, K: np.ndarray, distortion: tuple[float, ...] = (0, 0, 0, 0)) -> np.ndarray:
    """Return pixels by OpenCV's model of distortion, written out."""
    k1, k2, p1, p2 = distortion
    x, y = (in_cam[:, :2] / in_cam[:, 2:]).T
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2
    u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)
    v = y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
    return np.stack([u, v], 1) * K.diagonal()[:2] + K[:2, 2]


def found(*args: object) -> AbsolutePose:
    pose = absolute_pose(*args)  # type: ignore[arg-type]
    assert pose is not None
    return pose


@pytest.mark.parametrize("distortion", [None, DISTORTION])
def test_exact_points_give_the_exact_pose(distortion: tuple[float, float, float, float] | None) -> None:
    points, truth, in_cam = scene()
    pose = found(points, seen(in_cam, K, distortion or (0, 0, 0, 0)), QueryCamera(K, SIZE, distortion))
    np.testing.assert_allclose(pose.cam_from_world, truth, atol=1e-6)
    assert pose.num_inliers == len(points)
    assert pose.rotation_sd_deg < 1e-4


def test_an_unknown_focal_is_found() -> None:
    points, truth, in_cam = scene()
    square = np.array([[700, 0, 318.5], [0, 700, 242], [0, 0, 1.0]])
    blind = np.array([[np.nan, 0, 318.5], [0, np.nan, 242], [0, 0, 1.0]])
    pose = found(points, seen(in_cam, square), QueryCamera(blind, SIZE, focal_known=False))
    np.testing.assert_allclose(pose.K, square, rtol=1e-6)
    np.testing.assert_allclose(pose.cam_from_world, truth, atol=1e-6)
    with pytest.raises(ValueError, match="focal"):
        QueryCamera(K, SIZE, DISTORTION, focal_known=False)


@pytest.mark.parametrize("focal_known", [True, False])
def test_standard_deviations_are_those_of_repeated_trials(focal_known: bool) -> None:
    points, truth, in_cam = scene()
    square = np.array([[700, 0, 318.5], [0, 700, 242], [0, 0, 1.0]])
    camera = QueryCamera(square, SIZE, focal_known=focal_known)
    options, rng = PoseOptions(error_px=8.0, iterations=50), np.random.default_rng(1)
    trials = [
        found(points, seen(in_cam, square) + rng.normal(size=(len(points), 2)), camera, options)
        for _ in range(60)
    ]
    poses = np.stack([trial.cam_from_world for trial in trials])
    turn = rotation_vector(poses[:, :3, :3] @ truth[:3, :3].T)
    centre = (camera_centres(poses) - camera_centres(truth[None])) @ truth[:3, :3].T
    measured = np.concatenate([turn, centre], 1).std(0)
    # A standard deviation out of 60 trials is itself known to about 10 %.
    stated = np.sqrt(np.mean([trial.covariance.diagonal() for trial in trials], 0))
    np.testing.assert_allclose(measured, stated, rtol=0.35)
    assert trials[0].centre_sd == pytest.approx(np.sqrt(trials[0].covariance.diagonal()[3:].sum()))


def test_equal_calls_give_equal_poses() -> None:
    points, _, in_cam = scene()
    rng = np.random.default_rng(2)
    pixels = seen(in_cam, K) + rng.normal(size=(len(points), 2))
    pixels[:80] = rng.uniform(0, 480, (80, 2))
    first, second = (found(points, pixels, QueryCamera(K, SIZE)) for _ in range(2))
    np.testing.assert_array_equal(first.cam_from_world, second.cam_from_world)
    assert not first.inliers[:80].sum() > 4


@settings(max_examples=10)
@given(st.integers(0, 1000), st.floats(0.05, 20))
def test_larger_images_and_scenes_change_nothing(seed: int, scale: float) -> None:
    points, _, in_cam = scene(seed)
    rng = np.random.default_rng(seed)
    pixels = seen(in_cam, K) + rng.normal(size=(len(points), 2))
    pixels[:40] = rng.uniform(0, 480, (40, 2))
    small = found(points, pixels, QueryCamera(K, SIZE))
    larger = np.diag([4, 4, 1]) @ K + np.array([[0, 0, 1.5], [0, 0, 1.5], [0, 0, 0]])
    large = found(scale * points, 4 * pixels + 1.5, QueryCamera(larger, (2560, 1920)))
    turn = angle_between(small.cam_from_world[:3, :3], large.cam_from_world[:3, :3])
    # Samples differ in their last digits, so an inlier at the very limit may differ.
    assert np.rad2deg(turn) < 0.02
    np.testing.assert_allclose(large.cam_from_world[:3, 3] / scale, small.cam_from_world[:3, 3], atol=5e-3)


def test_what_fixes_no_camera_gives_none() -> None:
    points, _, in_cam = scene()
    pixels, camera = seen(in_cam, K), QueryCamera(K, SIZE)
    assert absolute_pose(points[:4], pixels[:4], camera) is None
    assert absolute_pose(points[:0], pixels[:0], camera) is None
    assert absolute_pose(points, np.full_like(pixels, np.nan), camera) is None
    assert absolute_pose(np.ones_like(points), pixels, camera) is None
    noise = np.random.default_rng(3).uniform(0, 480, pixels.shape)
    assert absolute_pose(points, noise, camera, PoseOptions(fewest_inliers=20, iterations=500)) is None


def test_rows_without_a_point_are_left_out() -> None:
    points, truth, in_cam = scene()
    points[::2] = np.nan
    pose = found(torch.from_numpy(points), seen(in_cam, K), QueryCamera(K, SIZE))
    np.testing.assert_allclose(pose.cam_from_world, truth, atol=1e-6)
    np.testing.assert_array_equal(pose.inliers, np.arange(len(points)) % 2 == 1)
