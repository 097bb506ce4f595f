"""Neighbours and depth range from scene points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from textured_disc import disc_scene, solve, views

from pairs.backends.classical.options import DepthOptions
from pairs.backends.classical.stereo.plan import (
    choose_neighbours,
    depth_plans,
    inverse_depth_range,
    scene_inverse_depths,
)
from pairs.backends.classical.stereo.warp import warp_between
from pairs.views.cameras import Cameras


def test_the_four_nearest_to_ten_degrees_are_chosen() -> None:
    chosen = choose_neighbours(solve(disc_scene((-30, -20, -10, 0, 10, 20, 30))))
    assert set(chosen[3]) == {1, 2, 4, 5}
    assert set(chosen[3][:2]) == {2, 4}
    assert chosen[0][0] == 1


def test_views_from_one_place_or_from_far_aside_are_no_neighbours() -> None:
    assert choose_neighbours(solve(disc_scene((0, 1, 55)))) == ((), (), ())


def test_fewer_than_eight_common_points_are_no_neighbourhood() -> None:
    scene = disc_scene((0, 10))
    assert choose_neighbours(solve(scene, 7)) == ((), ())
    assert choose_neighbours(solve(scene, 8)) == ((1,), (0,))


def test_points_behind_a_camera_do_not_count_for_its_range() -> None:
    solved = solve(disc_scene((0, 10)))
    behind = solved.points.copy()
    behind[:50, 2] = -10
    assert len(scene_inverse_depths(replace(solved, points=behind), 0)) == 150


def test_the_range_is_widened_and_never_reaches_infinity() -> None:
    far, near = inverse_depth_range(np.linspace(1.0, 2.0, 101))
    np.testing.assert_allclose([far, near], [1.02 - 0.24, 1.98 + 0.24])
    far, near = inverse_depth_range(np.array([0.01] * 50 + [5.0] * 50))
    assert 0 < far < 0.01
    far, near = inverse_depth_range(np.full(20, 0.5))
    assert far < 0.5 < near


def test_a_plan_names_neighbours_and_the_warps_to_and_from_them(tmp_path: Path) -> None:
    scene = disc_scene((0, 10, 20))
    solved, seen = solve(scene), views(scene, tmp_path)
    plans = depth_plans(seen, solved, scene.cameras, DepthOptions(), {})
    assert sorted(plans) == [0, 1, 2]
    assert plans[0].neighbours == choose_neighbours(solved)[0]
    assert plans[0].inverse_range == inverse_depth_range(scene_inverse_depths(solved, 0))
    for there, back, n in zip(plans[0].there, plans[0].back, plans[0].neighbours):
        np.testing.assert_array_equal(there.homography, warp_between(scene.cameras, n, 0).homography)
        np.testing.assert_array_equal(back.homography, warp_between(scene.cameras, 0, n).homography)


def test_views_without_neighbours_or_points_have_no_plan(tmp_path: Path) -> None:
    scene = disc_scene((0, 1, 55))
    assert depth_plans(views(scene, tmp_path), solve(scene), scene.cameras, DepthOptions(), {}) == {}


def test_the_key_changes_with_all_that_can_change_the_depth_and_with_nothing_else(tmp_path: Path) -> None:
    scene = disc_scene((0, 10, 20))
    solved, seen, options = solve(scene), views(scene, tmp_path), DepthOptions()
    moved = scene.cameras.cam_from_world.copy()
    moved[1, 0, 3] += 1e-9
    nearer = replace(solved, points=solved.points - (0, 0, 0.01))
    others = [
        depth_plans((replace(seen[0], grid_key="other"), *seen[1:]), solved, scene.cameras, options, {}),
        depth_plans(seen, solved, Cameras(scene.cameras.K, moved), options, {}),
        depth_plans(seen, nearer, scene.cameras, options, {}),
        depth_plans(seen, solved, scene.cameras, replace(options, max_planes=options.max_planes + 1), {}),
    ]
    key = depth_plans(seen, solved, scene.cameras, options, {})[0].key
    assert len({key, *(plans[0].key for plans in others)}) == 5
    renamed = tuple(replace(view, name=f"renamed {k}") for k, view in enumerate(seen))
    assert depth_plans(renamed, solved, scene.cameras, options, {})[0].key == key
