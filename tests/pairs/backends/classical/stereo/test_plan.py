"""Neighbours and depth range from scene points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from textured_disc import disc_scene, solve

from pairs.backends.classical.stereo.plan import choose_neighbours, inverse_depth_range, scene_inverse_depths


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
