"""Scenes of groups that need no alignment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from align.group_scene import group_scene
from align.scene import points_of_view
from align.scene_folder import load_scene, save_scene
from masks.errors import ReconstructionError
from masks.mask import Mask
from masks.notice import Level
from masks.pixelmap import identity
from pairs.prediction.predictions import GroupPrediction, Predictions
from pairs.views.cameras import Cameras
from pairs.views.view import View

H, W = 24, 32
INSIDE = np.zeros((H, W), bool)
INSIDE[6:18, 8:24] = True


def view(k: int, mask: np.ndarray | None = INSIDE) -> View:
    return View(
        f"{k}.png",
        None,
        np.full((H, W, 3), 40 * k, np.uint8),
        identity((W, H)),
        None if mask is None else Mask(mask, "test"),
        str(k),
    )


def predictions(num_views: int = 3) -> Predictions:
    """Return views side by side before a wall five away."""
    pose = np.tile(np.eye(4), (num_views, 1, 1))
    pose[:, 0, 3] = -0.2 * np.arange(num_views)
    K = np.tile([[40.0, 0, 16], [0, 40, 12], [0, 0, 1]], (num_views, 1, 1))
    conf = tuple(np.where(INSIDE, 5, 1).astype(np.float32) for _ in range(num_views))
    group = GroupPrediction(
        Cameras(K, pose), tuple(np.full((H, W), 5, np.float32) for _ in range(num_views)), conf
    )
    return Predictions(
        tuple(view(k) for k in range(num_views)),
        (),
        lambda k: pytest.fail("no pairs"),
        group.cameras,
        (),
        "network",
        group,
    )


def with_maps(
    given: Predictions, index: int, depth: np.ndarray | None = None, conf: np.ndarray | None = None
) -> Predictions:
    group = given.group
    assert group is not None
    depths, confs = list(group.depth), list(group.conf)
    depths[index] = depths[index] if depth is None else depth.astype(np.float32)
    confs[index] = confs[index] if conf is None else conf.astype(np.float32)
    return replace(given, group=GroupPrediction(group.cameras, tuple(depths), tuple(confs)))


def test_cameras_and_points_are_those_of_the_group(tmp_path) -> None:
    given = predictions()
    scene = group_scene(given)
    assert given.cameras is not None
    np.testing.assert_array_equal(scene.cameras.cam_from_world, given.cameras.cam_from_world)
    points = points_of_view(scene, 2)[INSIDE]
    np.testing.assert_allclose(points[:, 2], 5)
    np.testing.assert_allclose(points[0, :2], [(8 - 16) / 40 * 5 + 0.4, (6 - 12) / 40 * 5], atol=1e-5)
    save_scene(scene, tmp_path)
    assert [seen.name for seen in load_scene(tmp_path).views] == ["0.png", "1.png", "2.png"]


def test_off_the_object_there_is_neither_depth_nor_confidence() -> None:
    for seen in group_scene(predictions()).views:
        assert (seen.depth[~INSIDE] == 0).all()
        assert (seen.conf[~INSIDE] == 0).all()
        assert (seen.conf[INSIDE] == 5).all()


def test_a_pixel_without_any_confidence_is_absent() -> None:
    conf = np.where(INSIDE, 5.0, 1.0)
    conf[10, 12] = 1
    seen = group_scene(with_maps(predictions(), 1, conf=conf)).views[1]
    assert seen.depth[10, 12] == seen.conf[10, 12] == 0


def test_a_point_before_what_another_view_sees_more_surely_loses_its_confidence() -> None:
    depth = np.full((H, W), 5.0)
    depth[12, 16] = 3
    conf = np.where(INSIDE, 4.0, 1.0)
    scene = group_scene(with_maps(predictions(), 1, depth, conf))
    assert scene.views[1].conf[12, 16] == 0
    assert (np.delete(scene.views[1].conf[INSIDE], 16 * 6 + 8) == 4).all()


def test_a_view_without_a_depth_is_left_out_by_name() -> None:
    scene = group_scene(with_maps(predictions(), 1, conf=np.ones((H, W))))
    assert [seen.name for seen in scene.views] == ["0.png", "2.png"]
    assert scene.inputs == ("0.png", "1.png", "2.png")
    assert [notice.subject for notice in scene.report.notices if notice.level is Level.LEFT_OUT] == ["1.png"]


def test_no_depth_at_all_is_an_error() -> None:
    given = predictions(2)
    for k in range(2):
        given = with_maps(given, k, conf=np.ones((H, W)))
    with pytest.raises(ReconstructionError, match="no photo has a pixel"):
        group_scene(given)
