"""Groups of overlapping windows, joined."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from simulated_network import oracle_or_skip

from masks.errors import ReconstructionError
from pairs.backends.vggt.stitching import overlapping_windows, stitched
from pairs.prediction.predictions import GroupPrediction
from pairs.views.cameras import Cameras

H, W = 48, 64


def group(num_views: int, seed: int = 0) -> GroupPrediction:
    """Return views with smooth depth that look at one place."""
    rng = np.random.default_rng(seed)
    pose = np.tile(np.eye(4), (num_views, 1, 1))
    pose[:, :3, :3] = Rotation.from_rotvec(rng.normal(0, 0.4, (num_views, 3))).as_matrix()
    pose[:, :3, 3] = rng.normal((0, 0, 3), 0.3, (num_views, 3))
    K = np.tile([[70.0, 0, 32], [0, 70, 24], [0, 0, 1]], (num_views, 1, 1))
    x, y = np.meshgrid(np.linspace(0, 3, W), np.linspace(0, 3, H))
    depth = tuple((3 + np.sin(x + k) * np.cos(y - k)).astype(np.float32) for k in range(num_views))
    return GroupPrediction(
        Cameras(K, pose), depth, tuple(np.full((H, W), 3, np.float32) for _ in range(num_views))
    )


def part(whole: GroupPrediction, window: tuple[int, ...], seed: int) -> GroupPrediction:
    """Return some views of a group in a world and a unit of their own."""
    rng = np.random.default_rng([seed, 5])
    scale, R, t = (
        np.exp(rng.normal(0, 0.5)),
        Rotation.from_rotvec(rng.normal(0, 1, 3)).as_matrix(),
        rng.normal(0, 2, 3),
    )
    pose = whole.cameras.cam_from_world[list(window)].copy()
    pose[:, :3, 3] = scale * (pose[:, :3, 3] - pose[:, :3, :3] @ t)
    pose[:, :3, :3] = pose[:, :3, :3] @ R
    depth = tuple((whole.depth[k] * np.float32(scale)).astype(np.float32) for k in window)
    return GroupPrediction(
        Cameras(whole.cameras.K[list(window)], pose), depth, tuple(whole.conf[k] for k in window)
    )


def in_the_first_camera(found: GroupPrediction) -> tuple[np.ndarray, np.ndarray]:
    """Return the rotations and the centres of all cameras as the first one sees them, in units of
    its depth.
    """
    relative = found.cameras.cam_from_world @ found.cameras.world_from_cam[0]
    unit = float(np.median(found.depth[0]))
    return relative[:, :3, :3], np.stack([np.linalg.inv(pose)[:3, 3] for pose in relative]) / unit


NAMES = [f"{k}.png" for k in range(20)]


@given(num_views=st.integers(2, 200), size=st.integers(2, 60))
def test_windows_hold_every_view_and_overlap(num_views: int, size: int) -> None:
    windows = overlapping_windows(num_views, size)
    assert sorted({view for window in windows for view in window}) == list(range(num_views))
    assert all(len(window) == min(size, num_views) for window in windows)
    for one, other in pairwise(windows):
        assert len(set(one) & set(other)) >= max(1, size // 2 - 1)


@pytest.mark.parametrize("size", [3, 4, 6])
def test_windows_of_one_scene_give_it_back(size: int) -> None:
    whole = group(9)
    windows = overlapping_windows(9, size)
    found, notices = stitched([part(whole, window, k) for k, window in enumerate(windows)], windows, NAMES)
    assert notices == ()
    for one, other in zip(in_the_first_camera(found), in_the_first_camera(whole)):
        np.testing.assert_allclose(one, other, atol=1e-5)
    for one, other in zip(found.depth, whole.depth):
        np.testing.assert_allclose(one / found.depth[0].mean(), other / whole.depth[0].mean(), rtol=1e-5)


def test_a_fifth_of_wrong_pixels_moves_nothing() -> None:
    whole = group(6)
    windows = overlapping_windows(6, 4)
    parts = [part(whole, window, k) for k, window in enumerate(windows)]
    rng = np.random.default_rng(0)
    wild = tuple(
        np.where(rng.random((H, W)) < 0.2, 3 * depth, depth).astype(np.float32) for depth in parts[1].depth
    )
    found, _ = stitched([parts[0], GroupPrediction(parts[1].cameras, wild, parts[1].conf)], windows, NAMES)
    for one, other in zip(in_the_first_camera(found), in_the_first_camera(whole)):
        np.testing.assert_allclose(one, other, atol=0.02)


def test_one_window_is_handed_on_to_the_bit() -> None:
    whole = group(4)
    found, notices = stitched([whole], [(0, 1, 2, 3)], NAMES)
    np.testing.assert_array_equal(found.cameras.cam_from_world, whole.cameras.cam_from_world)
    assert notices == ()


def test_windows_that_contradict_each_other_are_told() -> None:
    whole, windows = group(6), overlapping_windows(6, 4)
    other = group(6, seed=3)
    _, notices = stitched([part(whole, windows[0], 0), part(other, windows[1], 1)], windows, NAMES)
    assert [notice.subject for notice in notices] == ["2.png"]
    assert "disagree" in notices[0].text


def test_windows_that_share_nothing_sure_cannot_be_joined() -> None:
    whole, windows = group(6), overlapping_windows(6, 4)
    blind = part(whole, windows[1], 1)
    blind = GroupPrediction(blind.cameras, blind.depth, tuple(np.ones_like(conf) for conf in blind.conf))
    with pytest.raises(ReconstructionError, match=r"2\.png, 3\.png: .*nothing sure"):
        stitched([part(whole, windows[0], 0), blind], windows, NAMES)


def test_windows_of_a_simulated_network_stitch_to_a_turntable_within_degrees() -> None:
    oracle = oracle_or_skip()
    scene = oracle.make_scene("vase", views=12, layout="ring", size=(160, 112), backdrop="none", seed=0)
    windows, groups = overlapping_windows(12, 6), []
    for window in windows:
        said = oracle.predict_group(scene, list(window), seed=0, masked=True)
        pose = np.tile(np.eye(4), (len(window), 1, 1))
        pose[:, :3] = said["w2c"]
        conf = tuple(
            np.where(scene.view(v).mask, c, 1).astype(np.float32) for v, c in zip(window, said["depth_conf"])
        )
        groups.append(GroupPrediction(Cameras(said["K"], pose), tuple(said["depth"]), conf))
    found, notices = stitched(groups, windows, NAMES)
    errors = oracle.metrics.pose_metrics(found.cameras.cam_from_world, oracle.true_poses(scene)[0])
    assert notices == ()
    assert errors["rotation_deg"]["median"] < 1.0
    assert errors["ate"] < 0.03
