"""A scene is written where and as large as it was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from cylinder_on_turntable import TILTED, turntable

from align.objects.placed import placed_scene
from align.objects.placement import Placement, place
from align.points import point_cloud
from masks.errors import UserError

ACROSS = "0.png@23.5,17.5-6.png@23.5,17.5=0.1"


def test_the_scenes_own_world_is_left_to_the_bit() -> None:
    scene = placed_scene(turntable(), TILTED)
    after, notices = place(scene, Placement(), {})
    np.testing.assert_array_equal(after.cameras.cam_from_world, scene.cameras.cam_from_world)
    np.testing.assert_array_equal(after.views[3].depth, scene.views[3].depth)
    assert notices == ()


def test_the_object_stands_upright_in_its_unit() -> None:
    scene = placed_scene(turntable(), TILTED, 7.0)
    after, notices = place(scene, Placement(frame="object", length=ACROSS), {})
    points = point_cloud(after, 1.5).points
    # The picked line is one unit long where it crosses the axis, a little more as it slopes.
    # section.
    np.testing.assert_allclose(np.hypot(points[:, 0], points[:, 1]), 0.05, rtol=0.1)
    assert points[:, 2].min() > -0.01
    assert {notice.subject for notice in notices} == {"up", "scale"}


def test_two_statements_of_the_scale_are_one_too_many() -> None:
    with pytest.raises(UserError, match="both state the scale"):
        place(turntable(), Placement(length=ACROSS, camera_height=1.0), {})


def test_markers_need_the_photos() -> None:
    with pytest.raises(UserError, match="photos=DIR"):
        place(turntable(), Placement(marker="36h11:0.05"), {})
