"""What is said of a turntable is what it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from cylinder_on_turntable import TILTED, turntable
from scipy.spatial.transform import Rotation

from align.objects.placed import placed_scene
from align.objects.turntable import (
    silhouette_notices,
    turntable_figures,
    turntable_notices,
    turntable_of,
    turntable_table,
    with_turntable,
)
from align.scene import Scene
from align.show.ring_picture import ring_picture
from masks.notice import Level
from pairs.views.cameras import Cameras


def chosen(scene: Scene, *views: int) -> Scene:
    """Return the scene of some of its views; all were given."""
    index = list(views)
    cameras = Cameras(scene.cameras.K[index], scene.cameras.cam_from_world[index])
    return replace(scene, views=tuple(scene.views[k] for k in index), cameras=cameras)


def said(scene: Scene) -> str:
    return " ".join(notice.text for notice in turntable_notices(turntable_of(scene)))


def test_a_full_turn_is_told_in_numbers_and_words() -> None:
    scene = placed_scene(turntable(), TILTED, 3.0)
    words = said(scene)
    assert "12 of 12 views stand on a circle" in words
    assert "steps of 30.00 +- 0.00 degrees over 330" in words
    assert "looks down by 20 degrees" in words
    (ring,) = turntable_figures(turntable_of(scene))["rings"]
    np.testing.assert_allclose(ring["radius"], 3 * 4 * np.cos(np.deg2rad(20)), rtol=1e-6)
    assert abs(ring["views"]["3.png"]["azimuth_deg"]) - 90 < 1e-4


def test_the_way_round_is_that_of_the_object() -> None:
    forth, back = turntable(), turntable(step_deg=-30.0)
    assert "turning clockwise" in said(forth)
    assert "turning counter-clockwise" in said(back)
    assert "turning clockwise" in said(placed_scene(forth, TILTED))


def test_missing_photos_are_named() -> None:
    scene = chosen(turntable(), 0, 1, 2, 5, 6, 7, 8, 9)
    numbered = replace(scene, inputs=tuple(view.name for view in scene.views))
    assert "2 between 2.png and 5.png" in said(numbered)
    # Photos that were given and not placed are not missing.
    assert "missing" not in said(scene)


def test_silhouettes_that_contradict_the_others_are_named() -> None:
    scene = turntable()
    assert silhouette_notices(turntable_of(scene)) == ()
    assert with_turntable(scene).report.figures["turntable"]["grade"] == "exact"
    poses = scene.cameras.cam_from_world.copy()
    poses[5] = roll_about_x(5.0) @ poses[5]
    wrong = replace(scene, cameras=Cameras(scene.cameras.K, poses))
    (notice,) = silhouette_notices(turntable_of(wrong))
    assert notice.text.startswith("5.png: ")


def roll_about_x(degrees: float) -> np.ndarray:
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("x", degrees, degrees=True).as_matrix()
    return turn


def test_cameras_on_no_circle_are_not_spoken_of() -> None:
    scene = turntable()
    poses = scene.cameras.cam_from_world.copy()
    poses[:, :3, 3] += np.random.default_rng(0).normal(size=(12, 3))
    strewn = replace(scene, cameras=Cameras(scene.cameras.K, poses))
    assert turntable_notices(turntable_of(strewn)) == ()
    assert "do not stand on a circle" in turntable_table(turntable_of(strewn))


def test_a_view_beside_the_circle_is_named_and_drawn() -> None:
    scene = turntable()
    poses = scene.cameras.cam_from_world.copy()
    poses[4, :3, 3] += 0.8
    scene = replace(scene, cameras=Cameras(scene.cameras.K, poses))
    table = turntable_of(scene)
    assert any("4.png" in n.text and n.level is Level.WARNING for n in turntable_notices(table))
    assert "4.png" in turntable_table(table)
    red = (ring_picture(scene, table) == (214, 56, 40)).all(-1)
    assert red.any()
    assert not (ring_picture(turntable(), turntable_of(turntable())) == (214, 56, 40)).all(-1).any()
