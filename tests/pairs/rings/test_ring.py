"""Circular motion found in poses: exact, noisy, partial, doubled, absent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from turning_cameras import moved, on_a_ring, shaken

from pairs.rings.ring import CircularMotion, Grade, fit_circular_motion

TURN = np.arange(0, 360, 10.0)


def axis_error_deg(motion: CircularMotion, true: np.ndarray) -> float:
    axis = motion.rings[0].axis_from_world[2, :3]
    return float(np.rad2deg(np.arccos(min(1.0, abs(axis @ true)))))


@settings(max_examples=12)
@given(
    st.integers(0, 10_000),
    st.sampled_from([40.0, 90.0, 200.0, 350.0]),
    st.floats(-60, 80),
    st.floats(-180, 180),
    st.integers(5, 20),
)
def test_an_exact_ring_in_any_world_comes_back(seed, arc, tilt, roll, num_views):
    poses = moved(on_a_ring(np.linspace(0, arc, num_views), tilt, roll), seed)
    motion = fit_circular_motion(poses)
    (ring,) = motion.rings
    np.testing.assert_allclose(ring.cam_from_world(), poses, atol=1e-5)
    assert ring.radius == pytest.approx(12.0, rel=1e-5)
    widest = max(arc / (num_views - 1), 360 - arc)
    assert ring.span == pytest.approx(np.deg2rad(360 - widest), abs=1e-6)
    assert ring.azimuth[0] == pytest.approx(0, abs=1e-9)
    assert motion.grade is (Grade.EXACT if 360 - widest >= 60 else Grade.NONE)


@pytest.mark.parametrize(
    ("arc", "low", "high"), [(350, 0.06, 0.3), (170, 0.12, 0.6), (90, 0.25, 0.8), (60, 0.35, 1.2)]
)
def test_the_axis_is_sure_on_arcs_of_sixty_degrees_and_more(arc, low, high):
    true = np.array([0.0, 0, 1])
    for sigma, place, bound in ((0.1, 0.002, low), (0.5, 0.01, high)):
        errors = [
            axis_error_deg(
                fit_circular_motion(shaken(on_a_ring(np.arange(0, arc + 1, 10.0)), sigma, 4 * place, s)), true
            )
            for s in range(4)
        ]
        assert max(errors) < bound


@pytest.mark.parametrize("num_wrong", [3, 9, 14])
def test_views_thrown_anywhere_are_left_out(num_wrong):
    poses = shaken(on_a_ring(TURN), 0.1, 0.008, 1)
    rng = np.random.default_rng(num_wrong)
    wrong = rng.choice(36, num_wrong, replace=False)
    poses[wrong, :3, :3] = Rotation.random(num_wrong, random_state=num_wrong).as_matrix()
    motion = fit_circular_motion(poses)
    assert set(motion.outside) == set(wrong)
    assert axis_error_deg(motion, np.array([0.0, 0, 1])) < 0.05
    assert (motion.grade is Grade.EXACT) == (num_wrong == 3)


def test_rings_at_two_heights_and_a_rolled_camera_share_their_axis():
    high = on_a_ring(TURN[::2], 40.0, radius=3.0)
    high[:, :3, 3] -= high[:, :3, :3] @ (0, 0, 2.5)  # two and a half above the plane of the other ring
    rolled = on_a_ring(TURN[4:20], 20.0, roll_deg=180.0)
    motion = fit_circular_motion(moved(np.concatenate([on_a_ring(TURN), high, rolled]), 4))
    assert [len(ring.views) for ring in motion.rings] == [36, 18, 16]
    assert motion.turntable == (0, 0, 0)
    for ring, true in zip(motion.rings, (TURN, TURN[::2], TURN[4:20])):
        turn = np.deg2rad(true) * np.sign(motion.rings[0].azimuth[1])
        np.testing.assert_allclose(np.exp(1j * ring.azimuth), np.exp(1j * turn), atol=1e-5)
    assert motion.grade is Grade.EXACT


def test_an_object_turned_over_has_two_axes():
    over = on_a_ring(TURN) @ np.block(
        [[Rotation.from_euler("x", 70, degrees=True).as_matrix(), np.zeros((3, 1))], [np.zeros(3), 1]]
    )
    motion = fit_circular_motion(np.concatenate([on_a_ring(TURN), over]))
    assert motion.turntable == (0, 1)
    assert motion.grade is Grade.EXACT


def test_turned_by_hand_is_rough_and_a_walk_is_none():
    assert fit_circular_motion(shaken(on_a_ring(TURN), 0.4, 0.02, 0)).grade is Grade.ROUGH
    walk = np.tile(np.eye(4), (12, 1, 1))
    walk[:, 0, 3] = np.arange(12)
    assert fit_circular_motion(walk).grade is Grade.NONE
    assert fit_circular_motion(shaken(on_a_ring(TURN), 4.0, 0.3, 0)).grade is Grade.NONE


def test_four_views_alone_make_a_ring_and_three_do_not():
    assert fit_circular_motion(on_a_ring(TURN[:12:3])).grade is Grade.EXACT
    assert fit_circular_motion(on_a_ring(TURN[:9:3])).grade is Grade.NONE
    assert fit_circular_motion(np.zeros((0, 4, 4))).rings == ()
