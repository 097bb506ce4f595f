"""Refinement keeps the ring and mends focal, attitude and azimuths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ellipsoid_masks import BODY, CROSS, around_origin, outlines_of, pinholes, turntable
from scipy.spatial.transform import Rotation

from pairs.rings.refinement import PairMatches, refine_ring, refine_rings
from pairs.rings.ring import Ring, fit_circular_motion, wrapped
from pairs.views.cameras import project, some_cameras

CAMERAS = turntable(12, 30.0)
OUTLINES = outlines_of(CAMERAS, BODY)
(TRUE,) = fit_circular_motion(CAMERAS.cam_from_world).rings


def spoilt(
    azimuth_deg: float = 1.5, attitude_deg: float = 0.5, focal: float = 1.08
) -> tuple[Ring, np.ndarray]:
    rng = np.random.default_rng(0)
    turn = Rotation.from_rotvec(np.deg2rad(attitude_deg) * np.array([0.6, 0.5, -0.6])).as_matrix()
    azimuth = TRUE.azimuth + np.deg2rad(azimuth_deg) * np.append(0.0, rng.normal(size=11))
    K = CAMERAS.K.copy()
    K[:, [0, 1], [0, 1]] *= focal
    return replace(TRUE, cam_from_axis=turn @ TRUE.cam_from_axis, azimuth=azimuth), K


def azimuth_error_deg(ring: Ring) -> float:
    return float(np.rad2deg(np.abs(wrapped(ring.azimuth - TRUE.azimuth)).max()))


def attitude_error_deg(ring: Ring) -> float:
    # About the axis the attitude trades against all azimuths alike: only the axis in the camera is told.
    cosine = ring.axis_in_camera @ TRUE.axis_in_camera
    return float(np.rad2deg(np.arccos(min(1.0, cosine))))


def test_outlines_alone_mend_a_spoilt_ring():
    ring, K = spoilt()
    found = refine_ring(ring, K, OUTLINES)
    assert azimuth_error_deg(ring) > 1.5
    assert azimuth_error_deg(found.ring) < 0.5
    assert attitude_error_deg(found.ring) < 0.1
    assert found.K[0, 0, 0] == pytest.approx(560, rel=0.01)
    assert found.tangency < 0.15
    assert found.ring.azimuth[0] == ring.azimuth[0]
    np.testing.assert_array_equal(found.ring.axis_from_world, ring.axis_from_world)


def test_a_focal_that_outlines_do_not_determine_stays():
    """Of four sides alike five views give fewer equations than a ring has numbers."""
    five = np.arange(4, 9)
    cameras = some_cameras(CAMERAS, five)
    (ring,) = fit_circular_motion(cameras.cam_from_world).rings
    found = refine_ring(ring, cameras.K, outlines_of(cameras, CROSS))
    assert found.K[0, 0, 0] == pytest.approx(560, rel=1e-4)


def test_equal_steps_hold_what_outlines_leave_loose():
    ring, K = spoilt()
    free, held = (refine_ring(ring, K, OUTLINES, steps=steps) for steps in (None, np.arange(12)))
    assert azimuth_error_deg(held.ring) < 0.5 * azimuth_error_deg(free.ring) + 0.02


def test_a_stated_focal_is_kept():
    ring, _ = spoilt(focal=1.0)
    found = refine_ring(ring, CAMERAS.K, OUTLINES, free_focal=False)
    np.testing.assert_array_equal(found.K, CAMERAS.K)
    assert azimuth_error_deg(found.ring) < 0.5


def test_matches_speak_with_the_outlines_and_wrong_ones_do_not_count():
    rng = np.random.default_rng(1)
    points = rng.normal(0, 0.3, (400, 3))
    xy, _ = project(CAMERAS, points)
    matches = []
    for first in range(12):
        second = (first + 1) % 12
        there = xy[second].copy()
        there[:100] += rng.normal(0, 40, (100, 2))
        matches.append(PairMatches(first, second, xy[first], there))
    ring, K = spoilt()
    found = refine_ring(ring, K, OUTLINES, matches)
    assert azimuth_error_deg(found.ring) < 0.5 * azimuth_error_deg(refine_ring(ring, K, OUTLINES).ring)
    assert azimuth_error_deg(found.ring) < 0.15


def test_many_views_draw_their_pairs_alike_each_time(monkeypatch):
    monkeypatch.setattr("pairs.rings.refinement._MOST_PAIRS", 40)
    ring, K = spoilt()
    one, two, other = (refine_ring(ring, K, OUTLINES, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one.ring.azimuth, two.ring.azimuth)
    assert (one.ring.azimuth[1:] != other.ring.azimuth[1:]).all()
    assert azimuth_error_deg(one.ring) < 1


def test_the_world_of_the_ring_stays():
    other = np.eye(4)
    other[:3, :3], other[:3, 3] = Rotation.random(random_state=0).as_matrix(), (3, 1, -2)
    ring, K = spoilt()
    there = replace(ring, axis_from_world=ring.axis_from_world @ other, radius=ring.radius)
    here, moved = refine_ring(ring, K, OUTLINES), refine_ring(there, K, OUTLINES)
    np.testing.assert_allclose(moved.ring.cam_from_world(), here.ring.cam_from_world() @ other, atol=1e-9)


def test_rings_of_two_heights_are_mended_together():
    azimuths = 45.0 * np.arange(8)
    poses = np.concatenate([around_origin(azimuths, 15.0), around_origin(azimuths + 7.0, 45.0)])
    cameras = pinholes(poses)
    low, high = sorted(fit_circular_motion(poses).rings, key=lambda ring: int(ring.views[0]))
    spoilt_high = replace(high, radius=1.03 * high.radius, azimuth=high.azimuth + np.deg2rad(1.0))
    K = cameras.K.copy()
    K[:, [0, 1], [0, 1]] *= 1.02
    found = refine_rings([low, spoilt_high], K, outlines_of(cameras, BODY))
    assert found.tangency < 0.15
    assert found.K[0, 0, 0] == pytest.approx(560, rel=0.01)
    assert found.rings[1].radius / found.rings[0].radius == pytest.approx(high.radius / low.radius, rel=0.005)
    off = wrapped(found.rings[1].azimuth - found.rings[0].azimuth - (high.azimuth - low.azimuth))
    assert np.rad2deg(np.abs(off)).max() < 0.5
    assert found.rings[0].radius == pytest.approx(low.radius, rel=1e-6)
