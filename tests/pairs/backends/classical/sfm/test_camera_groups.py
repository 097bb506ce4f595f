"""Which views share a camera, and what is assumed of it before a scene is solved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from masks.pixelmap import identity, intrinsics_to_target
from pairs.backends.classical.sfm.camera_groups import (
    FIRST_FACTOR,
    camera_of_view,
    camera_starts,
    starts_from,
    with_solved_cameras,
)
from pairs.views.view import View

WIDTH, HEIGHT = 800, 600


def view(
    focal: float | None = None,
    camera: str = "one",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    orientation: int = 1,
) -> View:
    """Return a view of the stored size; camera starts read no pixel of it."""
    pixel_map = identity(size, orientation)
    image = np.zeros((pixel_map.target_size[1], pixel_map.target_size[0], 3), np.uint8)
    return View(
        "a", Path("a.jpg"), image, pixel_map, None, "key", "content", "digest", camera, focal_exif=focal
    )


def test_the_focal_of_exif_is_carried_to_the_working_picture_as_a_prior():
    (start,) = camera_starts([view(1000.0)], longest=400, factor=None)
    assert start.size == (400, 300)
    assert (start.prior, start.fixed) == (True, False)
    np.testing.assert_allclose(start.K, [[500, 0, 199.5], [0, 500, 149.5], [0, 0, 1]])


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_portrait_has_the_focal_of_its_landscape(orientation):
    (start,) = camera_starts([view(1000.0, orientation=orientation)], longest=400, factor=None)
    assert start.size == ((400, 300) if orientation == 3 else (300, 400))
    assert start.K[0, 0] == start.K[1, 1] == 500


def test_one_camera_has_the_median_of_what_its_photos_say():
    said = [900.0, None, 1000.0, 5000.0]
    (start,) = camera_starts([view(focal) for focal in said], longest=WIDTH, factor=None)
    assert start.K[0, 0] == 1000


def test_without_exif_nothing_is_a_prior():
    (start,) = camera_starts([view()], longest=400, factor=None)
    assert start.K[0, 0] == FIRST_FACTOR * 400
    assert not start.prior


def test_another_try_does_not_believe_exif():
    (start,) = camera_starts([view(1000.0)], longest=400, factor=2.0)
    assert start.K[0, 0] == 800
    assert not start.prior


def test_found_intrinsics_begin_with_every_view_of_their_camera():
    stated = replace(view(None, "third"), K=np.diag([700.0, 700, 1]))
    views = [view(1000.0), view(1000.0), view(2000.0, "other"), stated]
    K = {1: np.array([[600.0, 0, 9], [0, 610, 8], [0, 0, 1]]), 3: np.diag([1.0, 1, 1])}
    loose = starts_from(views, WIDTH, K, fixed=False, factor=2.0)
    np.testing.assert_array_equal(loose[0].K, [[1200, 0, 9], [0, 1220, 8], [0, 0, 1]])
    assert (loose[0].prior, loose[0].fixed) == (True, False)
    before = camera_starts(views, WIDTH, None)
    assert loose[1].K[0, 0] == before[1].K[0, 0] == 2000
    np.testing.assert_array_equal(loose[2].K, before[2].K)
    held = starts_from(views, WIDTH, K, fixed=True)
    np.testing.assert_array_equal(held[0].K, K[1])
    assert [start.fixed for start in held] == [True, False, True]
    np.testing.assert_array_equal(held[2].K, K[3])


def test_cameras_speak_for_themselves_only():
    views = [view(1000.0), view(2000.0, "other"), view(None, "third")]
    starts = camera_starts(views, longest=WIDTH, factor=None)
    assert [start.K[0, 0] for start in starts] == [1000, 2000, FIRST_FACTOR * WIDTH]
    assert [start.prior for start in starts] == [True, True, False]


def test_stated_intrinsics_go_before_exif_and_stay():
    K = np.array([[700.0, 0, 410], [0, 710, 290], [0, 0, 1]])
    stated = replace(view(1000.0), K=K)
    (start,) = camera_starts([stated], longest=400, factor=2.0)
    half = intrinsics_to_target(replace(identity((WIDTH, HEIGHT)), scaled_size=(400, 300)), K)
    np.testing.assert_allclose(start.K, half)
    assert (start.prior, start.fixed) == (True, True)


def test_views_share_a_camera_when_id_size_and_intrinsics_are_equal():
    K = np.diag([700.0, 700, 1])
    views = [
        view(),
        view(500.0),  # what EXIF says of the focal tells no cameras apart: that is in the camera's id
        view(camera="other"),
        view(orientation=6),
        replace(view(), K=K),
        replace(view(), K=K.copy()),
        replace(view(), K=2 * K),
    ]
    assert camera_of_view(views, longest=400) == (0, 0, 1, 2, 3, 3, 4)


def solved_ids(views: list[View], focals: list[float]) -> list[str]:
    K = np.array([np.diag([focal, focal, 1]) for focal in focals])
    return [each.camera for each in with_solved_cameras(views, K)]


def test_focals_that_the_solve_told_apart_are_cameras_of_their_own():
    views = [view(), view(), view(), view(camera="other"), view(orientation=6)]
    # The id stays where its views share a focal; a turned photo has a focal of its own in the mapper anyway.
    assert solved_ids(views, [700, 700, 700, 800, 701]) == ["one"] * 3 + ["other", "one"]
    assert solved_ids(views, [900, 700, 900, 800, 901]) == [
        "one zoom 2",
        "one zoom 1",
        "one zoom 2",
        "other",
        "one",
    ]


def test_stated_intrinsics_keep_their_id():
    views = [replace(view(), K=np.diag([focal, focal, 1.0])) for focal in (700, 900)]
    assert solved_ids(views, [700, 900]) == ["one", "one"]
