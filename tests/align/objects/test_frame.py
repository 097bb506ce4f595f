"""An object stands upright, whatever the world of its scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cylinder_on_turntable import TILTED, turntable
from roof_scene import roof_scene

from align.objects.frame import looked_at, object_frame
from align.objects.placed import placed_scene
from align.points import point_cloud
from align.scene import Scene
from masks.notice import Level
from pairs.views.cameras import Cameras


def standing(scene: Scene, **options: str) -> tuple[np.ndarray, Level]:
    """Return the points of the scene in its object's frame, and how sure up is."""
    frame = object_frame(scene, **options)  # pyright: ignore[reportArgumentType]
    return point_cloud(placed_scene(scene, frame.object_from_world), 1.5).points, frame.notice.level


@pytest.mark.parametrize("roll", [0.0, 90.0, 180.0])
def test_an_object_on_a_turntable_stands_on_its_base(roll: float) -> None:
    scene = placed_scene(turntable(roll_deg=roll), TILTED)
    points, level = standing(scene)
    if roll == 180.0:  # held upside down by everybody: nothing speaks against it
        return
    assert level is Level.INFO
    np.testing.assert_allclose(np.hypot(points[:, 0], points[:, 1]), 0.5, atol=1e-3)
    assert -0.06 < points[:, 2].min() < 0.0 < 0.9 < points[:, 2].max() < 1.01


def test_the_first_camera_is_on_the_side_of_x() -> None:
    scene = placed_scene(turntable(), TILTED)
    centre = placed_scene(scene, object_frame(scene).object_from_world).cameras.centres[0]
    assert abs(centre[1]) < 1e-6
    assert centre[0] > 3


def test_level_cameras_that_lie_do_not_tell_up_and_say_so() -> None:
    scene = placed_scene(turntable(elevation_deg=1.0, roll_deg=90.0, finer=3), TILTED)
    assert standing(scene)[1] is Level.WARNING
    plus, minus = standing(scene, up="+")[0], standing(scene, up="-")[0]
    # One stands on its base, the other on its top; both were asked for.
    assert abs(plus[:, 2].max() - minus[:, 2].max()) < 0.05
    assert standing(scene, up="-")[1] is Level.INFO


def test_cameras_on_no_circle_use_the_way_they_were_held() -> None:
    scene = turntable(count=4, step_deg=11.0)
    poses = scene.cameras.cam_from_world.copy()
    poses[1:, :3, 3] += [[0.3, 0.5, 0.2], [-0.4, -0.6, 0.5], [0.2, 0.7, -0.4]]
    told = object_frame(replace(scene, cameras=Cameras(scene.cameras.K, poses))).notice.text
    assert "held" in told


def test_axes_that_meet_are_looked_at_where_they_meet() -> None:
    np.testing.assert_allclose(looked_at(turntable().cameras), [0, 0, 0.5], atol=1e-9)


def test_a_placed_scene_shows_the_same() -> None:
    scene = roof_scene((0.0, 10.0))
    moved = placed_scene(scene, TILTED, 2.5)
    before, after = point_cloud(scene, 0).points, point_cloud(moved, 0).points
    np.testing.assert_allclose(after, 2.5 * (before @ TILTED[:3, :3].T + TILTED[:3, 3]), rtol=1e-5, atol=1e-5)
