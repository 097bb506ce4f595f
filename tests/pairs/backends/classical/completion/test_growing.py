"""Views placed on a ring one after the other, by outlines alone."""

from __future__ import annotations

import numpy as np
import pytest
from ellipsoid_masks import BODY, CROSS, EGG, Ellipsoid, outlines_of, turntable

from pairs.backends.classical.completion.growing import grown, whole_steps
from pairs.backends.classical.completion.grown_ring import GrownRing, RingEvidence
from pairs.rings.ring import Ring, fit_circular_motion

CAMERAS = turntable(12, 30.0)


def ring_of(views: list[int]) -> Ring:
    ring = fit_circular_motion(CAMERAS.cam_from_world[views]).rings[0]
    return Ring(
        ring.axis_from_world,
        ring.radius,
        ring.cam_from_axis,
        np.array(views)[ring.views],
        ring.azimuth,
        ring.rotation_residual,
        ring.place_residual,
    )


def grown_from(
    views: list[int], solid: tuple[Ellipsoid, ...], focal: float = 1.0, step: float | None = None
) -> GrownRing:
    outlines = dict(enumerate(outlines_of(CAMERAS, solid)))
    K = CAMERAS.K[0] * np.array([[focal, 1, 1], [1, focal, 1], [1, 1, 1]])
    nothing = [np.zeros((0, 2))] * 12
    evidence = RingEvidence(outlines, dict.fromkeys(outlines, K), {}, nothing, False, 0, step)
    start = GrownRing(ring_of(views), np.stack([K] * len(views)), {})
    return grown(start, (), evidence)


def largest_error_deg(found: GrownRing) -> float:
    R = found.ring.cam_from_world()[:, :3, :3]
    true = CAMERAS.cam_from_world[found.ring.views, :3, :3]
    off = (R @ R[0].T) @ (true @ true[0].T).transpose(0, 2, 1)
    return float(np.rad2deg(np.arccos(np.clip((np.trace(off, axis1=1, axis2=2) - 1) / 2, -1, 1))).max())


def test_all_views_are_placed_from_five() -> None:
    found = grown_from([4, 5, 6, 7, 8], BODY)
    assert found.ring.views.tolist() == list(range(12))
    assert sorted(found.placed) == [0, 1, 2, 3, 9, 10, 11]
    assert found.unclear == {}
    assert largest_error_deg(found) < 0.5
    assert all(placement.clear for placement in found.placed.values())


def test_a_focal_that_is_off_is_mended_on_the_way() -> None:
    found = grown_from([4, 5, 6, 7, 8], BODY, focal=1.08)
    assert len(found.ring.views) == 12
    assert found.K[0, 0, 0] == pytest.approx(560, rel=0.02)
    # One camera has one focal, to the bit.
    assert np.unique(found.K[:, 0, 0]).size == 1
    assert largest_error_deg(found) < 1.0


def test_sides_that_look_alike_are_named_and_not_guessed() -> None:
    found = grown_from([4, 5, 6, 7, 8], CROSS)
    assert found.ring.views.tolist() == [4, 5, 6, 7, 8]
    assert found.unclear is not None
    assert sorted(found.unclear) == [0, 1, 2, 3, 9, 10, 11]
    for view, placement in found.unclear.items():
        off = np.rad2deg(np.array(placement.rivals)) - 30 * (view - 4)
        turns = np.rint(off / 90)
        assert np.abs(off - 90 * turns).max() < 5
        assert len(np.unique(np.mod(turns, 4))) == 4


def test_a_stated_step_tells_sides_apart_that_look_alike() -> None:
    found = grown_from([4, 5, 6, 7, 8], CROSS, step=np.deg2rad(30))
    assert found.ring.views.tolist() == list(range(12))
    assert largest_error_deg(found) < 1.0


def test_a_body_of_revolution_is_flat() -> None:
    found = grown_from([4, 5, 6, 7, 8], EGG)
    assert found.unclear is not None
    assert all(placement.flat for placement in found.unclear.values())


def test_a_mask_of_something_else_is_placed_nowhere() -> None:
    outlines = dict(enumerate(outlines_of(CAMERAS, BODY)))
    (other,) = outlines_of(turntable(1, 0.0, tilt_deg=80.0), CROSS)
    outlines[0] = other
    nothing = [np.zeros((0, 2))] * 12
    evidence = RingEvidence(outlines, dict.fromkeys(outlines, CAMERAS.K[0]), {}, nothing, False, 0)
    start = GrownRing(ring_of(list(range(3, 12))), CAMERAS.K[3:], {})
    found = grown(start, (), evidence)
    assert 0 not in found.ring.views
    assert found.unclear is not None
    assert 0 in found.unclear
    assert {1, 2} <= set(found.ring.views)


def test_a_piece_is_joined_by_one_turn() -> None:
    outlines = dict(enumerate(outlines_of(CAMERAS, BODY)))
    nothing = [np.zeros((0, 2))] * 12
    evidence = RingEvidence(outlines, dict.fromkeys(outlines, CAMERAS.K[0]), {}, nothing, False, 0)
    start = GrownRing(ring_of([0, 1, 2, 3, 4, 5]), CAMERAS.K[:6], {})
    found = grown(start, [ring_of([7, 8, 9, 10])], evidence)
    assert found.joined == ((7, 8, 9, 10),)
    assert sorted(found.placed) == [6, 11]
    assert largest_error_deg(found) < 0.5


def test_regular_steps_are_counted_and_irregular_ones_are_not() -> None:
    ring = ring_of([0, 1, 2, 4, 5, 6, 7])
    assert whole_steps(ring, None) is not None
    np.testing.assert_array_equal(whole_steps(ring, None), [0, 1, 2, 4, 5, 6, 7])
    np.testing.assert_array_equal(whole_steps(ring_of([1, 2, 3, 5]), 0.5), [0, 1, 2, 4])
    assert whole_steps(ring_of([1, 2, 3, 5]), None) is None
