"""An object that was turned over between two runs is spoken of, and stands as in the first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from cylinder_on_turntable import TILTED, turntable

from align.objects.frame import object_frame
from align.objects.placed import placed_scene
from align.objects.scale import scale_by_camera_height
from align.objects.turntable import turntable_figures, turntable_notices, turntable_of, turntable_table
from align.scene import Scene
from align.show.ring_picture import ring_picture
from masks.notice import Level
from pairs.views.cameras import Cameras

UPSIDE_DOWN = np.diag([1.0, -1, -1, 1])
UPSIDE_DOWN[2, 3] = 1.0  # about the middle of the cylinder, which looks the same then


def both_sides(second_first: bool = False) -> Scene:
    """Return a scene of two turns, upside down in the second, in the world of a solve."""
    one = turntable()
    other = tuple(replace(view, name=f"b{view.name}") for view in one.views)
    poses = [one.cameras.cam_from_world, one.cameras.cam_from_world @ UPSIDE_DOWN]
    views = (*one.views, *other)
    cameras = Cameras(np.concatenate([one.cameras.K] * 2), np.concatenate(poses))
    names = tuple(view.name for view in ((*other, *one.views) if second_first else views))
    return placed_scene(replace(one, views=views, cameras=cameras, inputs=names), TILTED, 2.0)


def said(scene: Scene) -> str:
    return " ".join(notice.text for notice in turntable_notices(turntable_of(scene)))


def test_the_turn_is_said_and_between_which_photos() -> None:
    words = said(both_sides())
    assert "24 of 24 views stand on 2 circles" in words
    assert "turned over by 180 degrees between 11.png and b0.png: 12 photos" in words
    assert "stands as in 0.png" in words
    assert "between b11.png and 0.png" in said(both_sides(second_first=True))
    assert "turned over" not in said(turntable())


def test_both_circles_look_down_on_the_table() -> None:
    table = turntable_of(both_sides())
    rings = turntable_figures(table)["rings"]
    np.testing.assert_allclose([ring["tilt_deg"] for ring in rings], 20, atol=1e-3)
    np.testing.assert_allclose([ring["turned_over_deg"] for ring in rings], [0, 180], atol=1e-3)
    assert table.sides[0].turned_over == 0
    assert "ring 2: the object turned over by 180 degrees" in turntable_table(table)


def test_the_object_stands_as_in_the_first_run() -> None:
    scene = both_sides()
    frame = object_frame(scene)
    assert frame.notice.level is Level.INFO
    assert "as the object stood in 0.png" in frame.notice.text
    assert frame.standing.tolist() == list(range(12))
    # Of lenses under the table half the median would be below its top.
    height = 2 * (0.5 + 4 * np.sin(np.deg2rad(20)))
    np.testing.assert_allclose(scale_by_camera_height(scene, frame, height), 1, rtol=0.02)


def test_each_circle_has_a_picture_of_its_own() -> None:
    scene = both_sides()
    picture = ring_picture(scene, turntable_of(scene), 320)
    assert picture.shape == (320, 640, 3)
    dots = (picture == (32, 34, 38)).all(-1)
    assert abs(int(dots[:, :320].sum()) - int(dots[:, 320:].sum())) < 0.1 * dots.sum()
