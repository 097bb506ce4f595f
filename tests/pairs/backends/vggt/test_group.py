"""From the network's output to a group of views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_vggt import random_scene, small_vggt

from masks.errors import ReconstructionError
from masks.mask import Mask
from masks.pixelmap import identity
from pairs.backends.vggt.group import GroupOptions, group_prediction
from pairs.networks.vggt.network import Dense, VggtOutput
from pairs.views.view import View

H, W = 42, 56
OUTPUT = small_vggt()(random_scene(3, (H, W)))


def view(k: int, mask: np.ndarray | None = None) -> View:
    found = None if mask is None else Mask(mask, "made up")
    return View(f"{k}.png", None, np.zeros((H, W, 3), np.uint8), identity((W, H)), found, f"key {k}")


VIEWS = [view(k) for k in range(3)]


def changed(output: VggtOutput, **parts) -> VggtOutput:
    return replace(output, **parts)


def test_cameras_and_maps_are_those_of_the_network():
    group, notices = group_prediction(VIEWS, OUTPUT)
    assert notices == ()
    encoding = OUTPUT.encodings[-1][0].double().numpy()
    np.testing.assert_allclose(group.cameras.cam_from_world[:, :3, 3], encoding[:, :3])
    np.testing.assert_allclose(group.cameras.K[:, 0, 0], W / 2 / np.tan(encoding[:, 8] / 2))
    np.testing.assert_array_equal(group.cameras.K[:, :2, 2], [[W / 2, H / 2]] * 3)
    np.testing.assert_array_equal(group.depth[1], OUTPUT.depth.values[0, 1, ..., 0])
    np.testing.assert_array_equal(group.conf[2], OUTPUT.depth.conf[0, 2])


def test_rotations_are_rigid():
    R = group_prediction(VIEWS, OUTPUT)[0].cameras.cam_from_world[:, :3, :3]
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.tile(np.eye(3), (3, 1, 1)), atol=1e-12)


def test_exact_centres_put_the_principal_point_into_the_middle_of_the_pixels():
    group, _ = group_prediction(VIEWS, OUTPUT, GroupOptions(exact_centres=True))
    np.testing.assert_array_equal(group.cameras.K[:, :2, 2], [[(W - 1) / 2, (H - 1) / 2]] * 3)


def test_outside_masks_there_is_no_confidence():
    mask = np.zeros((H, W), bool)
    mask[10:20, 10:30] = True
    group, _ = group_prediction([VIEWS[0], view(1, mask), VIEWS[2]], OUTPUT)
    assert (group.conf[1][~mask] == 1).all()
    assert (group.conf[1][mask] > 1).all()
    np.testing.assert_array_equal(group.depth[1], OUTPUT.depth.values[0, 1, ..., 0])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.0])
def test_depth_that_is_no_positive_number_is_replaced_and_said(bad):
    values = OUTPUT.depth.values.clone()
    values[0, 1, 5, 5] = bad
    group, notices = group_prediction(VIEWS, changed(OUTPUT, depth=Dense(values, OUTPUT.depth.conf)))
    assert all(np.isfinite(depth).all() and (depth > 0).all() for depth in group.depth)
    assert group.conf[1][5, 5] == 1
    assert [(notice.subject, notice.text[:8]) for notice in notices] == [("1.png", "1 pixels")]


def test_a_view_without_any_depth_is_named():
    depth = Dense(OUTPUT.depth.values * torch.nan, OUTPUT.depth.conf)
    with pytest.raises(ReconstructionError, match=r"0\.png.*no depth"):
        group_prediction(VIEWS, changed(OUTPUT, depth=depth))


def with_encoding(change) -> VggtOutput:
    encoding = OUTPUT.encodings[-1].clone()
    change(encoding[0])
    return changed(OUTPUT, encodings=(encoding,))


def test_a_rectified_field_of_view_becomes_that_of_the_others_and_is_said():
    def no_field(encoding):
        encoding[1, 8] = 0

    group, notices = group_prediction(VIEWS, with_encoding(no_field))
    assert np.isfinite(group.cameras.K).all()
    assert "field of view" in notices[0].text
    assert notices[0].subject == "1.png"


def test_no_field_of_view_at_all_is_an_error():
    def none(encoding):
        encoding[:, 7:] = 0

    with pytest.raises(ReconstructionError, match="field of view"):
        group_prediction(VIEWS, with_encoding(none))


def test_a_view_without_a_pose_is_named():
    def zero(encoding):
        encoding[2, 3:7] = 0

    with pytest.raises(ReconstructionError, match=r"2\.png: no camera pose"):
        group_prediction(VIEWS, with_encoding(zero))


def test_views_on_another_grid_are_refused():
    other = View("a", None, np.zeros((28, W, 3), np.uint8), identity((W, 28)), None, "key")
    with pytest.raises(ValueError, match="does not fit the view's grid"):
        group_prediction([other, *VIEWS[1:]], OUTPUT)


def test_another_scene_of_a_batch_can_be_asked_for():
    output = small_vggt()(torch.cat([random_scene(2, seed=1), random_scene(2, seed=2)]))
    group, _ = group_prediction(VIEWS[:2], output, scene=1)
    np.testing.assert_array_equal(group.depth[0], output.depth.values[1, 0, ..., 0])
