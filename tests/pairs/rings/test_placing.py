"""Views and pieces placed on a ring by outlines: right, named where several places fit, flat where all do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ellipsoid_masks import BODY, CROSS, EGG, JUG, outlines_of, turntable
from turning_cameras import moved

from pairs.rings.outline import Outline
from pairs.rings.placing import (
    aligned_piece,
    coherence_of_rivals,
    join_pieces,
    place_view,
    scanned_again,
    with_views,
)
from pairs.rings.ring import Ring, fit_circular_motion, flipped, wrapped
from pairs.views.cameras import Cameras, nearest_to_lines

CAMERAS = turntable(12, 30.0)
OUTLINES = {
    name: outlines_of(CAMERAS, solid)
    for name, solid in (("body", BODY), ("cross", CROSS), ("jug", JUG), ("egg", EGG))
}


def ring_of(views: list[int], cameras: Cameras = CAMERAS) -> Ring:
    (ring,) = fit_circular_motion(cameras.cam_from_world[views]).rings
    return replace(ring, views=np.array(views)[ring.views])


def some(views: list[int], name: str) -> tuple[np.ndarray, list[Outline]]:
    return CAMERAS.K[views], [OUTLINES[name][view] for view in views]


def true_azimuth(ring: Ring, view: int) -> float:
    """Azimuth of a view on a ring whose first view is photo 0, in radians."""
    return ring.azimuth[1] / (ring.views[1] - ring.views[0]) * view


PLACED = [0, 1, 2, 3, 4]


@pytest.mark.parametrize("view", [6, 9, 11])
def test_a_view_finds_its_azimuth_alone(view):
    ring = ring_of(PLACED)
    found = place_view(ring, *some(PLACED, "body"), CAMERAS.K[view], OUTLINES["body"][view])
    assert abs(wrapped(found.azimuth - true_azimuth(ring, view))) < np.deg2rad(0.5)
    assert found.clear
    assert found.rivals == (found.azimuth,)
    assert not found.flat
    assert found.ratio < 0.2


def test_four_like_sides_are_named_and_none_is_clear():
    ring = ring_of(PLACED)
    found = place_view(ring, *some(PLACED, "cross"), CAMERAS.K[7], OUTLINES["cross"][7])
    assert not found.clear
    turns = np.sort(np.rad2deg(wrapped(np.array(found.rivals) - true_azimuth(ring, 7))))
    np.testing.assert_allclose(
        turns, [-90, 0, 90, 180] if turns[-1] > 0 and turns[0] > -135 else [-180, -90, 0, 90], atol=2
    )


def test_an_egg_fits_anywhere_and_says_so():
    ring = ring_of(PLACED)
    found = place_view(ring, *some(PLACED, "egg"), CAMERAS.K[7], OUTLINES["egg"][7])
    assert found.flat
    assert not found.clear


def test_coherence_decides_between_azimuths_of_a_handle():
    ring = ring_of(PLACED)
    true = true_azimuth(ring, 8)
    rivals = [true, true + np.pi, true + np.pi / 2]
    added = coherence_of_rivals(ring, *some(PLACED, "jug"), CAMERAS.K[8], OUTLINES["jug"][8], rivals)
    assert added.argmin() == 0
    assert added[0] < 0.5 * added[1:].min()


@pytest.mark.parametrize("turned", [False, True])
def test_a_piece_from_another_world_is_joined_by_one_angle(turned):
    ring, last = ring_of(PLACED), [6, 7, 8, 9]
    piece = ring_of(last, replace(CAMERAS, cam_from_world=moved(CAMERAS.cam_from_world, 3)))
    piece = flipped(piece) if turned else piece
    found = join_pieces(ring, *some(PLACED, "body"), piece, *some(last, "body"))
    assert found.clear
    whole = with_views(ring, piece.views, aligned_piece(ring, piece).azimuth + found.azimuth)
    np.testing.assert_array_equal(whole.views, [*PLACED, *last])
    true = np.array([true_azimuth(ring, view) for view in whole.views])
    assert np.abs(wrapped(whole.azimuth - true)).max() < np.deg2rad(0.3)
    np.testing.assert_allclose(whole.cam_from_world(), CAMERAS.cam_from_world[whole.views], atol=0.03)


def test_a_view_at_a_wrong_azimuth_moves_when_scanned_again():
    views = list(range(12))
    ring, given = ring_of(views), some(views, "body")
    stays = scanned_again(ring, *given)
    assert max(abs(wrapped(p.azimuth - a)) for p, a in zip(stays, ring.azimuth)) < np.deg2rad(0.6)
    assert all(placement.clear for placement in stays)
    azimuth = ring.azimuth.copy()
    azimuth[5] += 1.0
    again = scanned_again(replace(ring, azimuth=azimuth), *given)
    assert abs(wrapped(again[5].azimuth - ring.azimuth[5])) < np.deg2rad(0.6)


def test_views_are_kept_in_order():
    ring = ring_of([0, 2, 4, 6])
    more = with_views(ring, np.array([5, 1]), np.array([0.5, 4.0]))
    assert more.views.tolist() == [0, 1, 2, 4, 5, 6]
    assert more.azimuth[4] == pytest.approx(0.5)
    assert more.azimuth[1] == pytest.approx(4.0 - 2 * np.pi)
    assert more.rotation_residual[1] == more.place_residual[4] == 0


def test_the_fixture_looks_at_the_origin():
    forward = CAMERAS.cam_from_world[:, 2, :3]
    np.testing.assert_allclose(nearest_to_lines(CAMERAS.centres, forward), 0, atol=1e-9)
