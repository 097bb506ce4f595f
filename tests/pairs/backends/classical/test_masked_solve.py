"""A scene that was solved without masks, once there are masks."""

from __future__ import annotations

import numpy as np
from ellipsoid_masks import SIZE, turntable

from masks.mask import Mask
from masks.notice import info, warning
from masks.pixelmap import identity
from pairs.backends.classical.masked_solve import UnmaskedSolve, on_object
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.views.cameras import project
from pairs.views.view import View

VIEWS = 4
CAMERAS = turntable(VIEWS, 20.0)
NAMES = tuple(f"{k}.jpg" for k in range(VIEWS))


def solve() -> SceneSolve:
    """Return a solve with 60 points in the middle and 40 aside, seen by all views."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.2, 0.2, (100, 3))
    points[60:, 2] += 0.8
    xy, _ = project(CAMERAS, points)
    number, by = np.tile(np.arange(100), VIEWS), np.repeat(np.arange(VIEWS), 100)
    told = (
        warning("stationary background", "1 % stand still"),
        warning("scene solve", "not checked: without masks no silhouettes"),
        info("focal", "solved"),
    )
    return SceneSolve(tuple(range(VIEWS)), CAMERAS, points, number, by, xy.reshape(-1, 2), told)


def views(radius: float, names: tuple[str, ...] = NAMES) -> list[View]:
    y, x = np.indices(SIZE[::-1])
    middle = np.hypot(x - SIZE[0] / 2, y - SIZE[1] / 2) < radius
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    return [View(name, None, image, identity(SIZE), Mask(middle, "made"), name) for name in names]


def test_points_beside_the_object_go_and_cameras_stay() -> None:
    found = on_object(UnmaskedSolve(NAMES, solve()), views(60))
    assert found is not None
    assert len(found.points) == 60
    np.testing.assert_array_equal(found.cameras.cam_from_world, CAMERAS.cam_from_world)
    assert np.abs(found.points).max() < 0.3
    np.testing.assert_array_equal(np.bincount(found.observed_by), [60] * VIEWS)
    assert [notice.subject for notice in found.notices] == ["focal", "scene solve"]


def test_no_view_is_lost_for_want_of_points_on_its_mask() -> None:
    found = on_object(UnmaskedSolve(NAMES, solve()), views(2))
    assert found is not None
    assert len(found.placed) == VIEWS
    assert len(found.points) == 100


def test_views_are_found_by_name_and_a_missing_one_means_a_new_solve() -> None:
    more = ("before.jpg", *NAMES)
    found = on_object(UnmaskedSolve(NAMES, solve()), views(60, more))
    assert found is not None
    assert found.placed == (1, 2, 3, 4)
    assert on_object(UnmaskedSolve(NAMES, solve()), views(60, NAMES[:3])) is None
