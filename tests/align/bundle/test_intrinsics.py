"""Which views share a focal, and what it starts from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_measurements import CENTRE, small_measurements, small_views
from small_scene import cam_from_world, intrinsics

from align.bundle.bundle_alignment import bundle_adjust
from align.bundle.intrinsics import shared_intrinsics
from align.bundle.options import BundleOptions
from align.measurements.known_cameras import Known, with_shared_K
from masks.errors import UserError


def canonical(focals: list[float]):
    views = small_measurements(len(focals)).views
    return [replace(view, focal=torch.tensor(focal)) for view, focal in zip(views, focals)]


def test_one_camera_starts_from_the_median_of_its_views() -> None:
    intrinsics, notices = shared_intrinsics(
        canonical([50, 51, 49, 50.5]), small_views(4), CENTRE.expand(4, 2), Known()
    )
    np.testing.assert_allclose(np.exp(intrinsics.log_focal), [50.25], rtol=1e-3)
    assert notices == ()


def test_focals_too_far_apart_for_one_camera_are_reported() -> None:
    _, notices = shared_intrinsics(canonical([50, 60, 45, 55]), small_views(4), CENTRE.expand(4, 2), Known())
    assert [n.subject for n in notices] == ["camera a"]


def test_a_known_view_is_a_camera_of_its_own() -> None:
    found, notices = shared_intrinsics(
        canonical([50, 70, 50]), small_views(3), CENTRE.expand(3, 2), Known(K={1: intrinsics()})
    )
    assert found.camera.tolist() == [0, 1, 0]
    assert found.fixed.tolist() == [False, True]
    assert notices == ()


def test_given_cameras_on_the_wrong_side_are_an_error() -> None:
    poses = cam_from_world(4)
    poses[:, :3, 3] *= -1  # every centre on the other side of the origin
    with pytest.raises(UserError, match="given cameras"):
        bundle_adjust(small_measurements(4), BundleOptions(), Known(cam_from_world=dict(enumerate(poses))))


def test_what_is_stated_for_one_view_holds_for_its_camera() -> None:
    K = intrinsics().numpy()
    views = small_views(3)
    shared = with_shared_K((views[0], replace(views[1], K=K), replace(views[2], camera="another")))
    np.testing.assert_array_equal(shared[0].K, K)
    assert shared[2].K is None
    # Two zooms under one id say nothing about a third view.
    differing = with_shared_K((views[0], replace(views[1], K=K), replace(views[2], K=2 * K)))
    assert differing[0].K is None


def test_a_grid_of_whole_patches_has_the_focals_of_its_pixels() -> None:
    views = [
        replace(view, pixel_map=replace(view.pixel_map, source_size=(48, 33), crop=(0, 0, 48, 33)))
        for view in small_views(2)
    ]
    intrinsics, _ = shared_intrinsics(canonical([50, 50]), views, CENTRE.expand(2, 2), Known())
    K = intrinsics.K(intrinsics.log_focal, np.zeros((1, 2)))
    np.testing.assert_allclose(K[:, 0, 0] / K[:, 1, 1], 33 / 32)
    np.testing.assert_allclose(np.sqrt(K[:, 0, 0] * K[:, 1, 1]), 50)
