"""Steps in file order: what is missing, doubled, exchanged or misplaced."""

from __future__ import annotations

import numpy as np
import pytest
from turning_cameras import on_a_ring, shaken

from pairs.rings.ring import fit_circular_motion
from pairs.rings.steps import StepPattern, step_pattern

TURN = np.arange(0, 360, 10.0)


def pattern(azimuth_deg: np.ndarray, files: np.ndarray | None = None) -> StepPattern:
    poses = shaken(on_a_ring(np.asarray(azimuth_deg)), 0.05, 0.002, 0)
    (ring,) = fit_circular_motion(poses).rings
    found = step_pattern(ring, np.arange(len(poses)) if files is None else files)
    assert found is not None
    return found


def pattern_of(azimuth_deg: np.ndarray) -> StepPattern:
    """Return the pattern of files that repeat their views to 0.01 degrees."""
    shake = np.random.default_rng(0).normal(0, 0.004, len(azimuth_deg))
    (ring,) = fit_circular_motion(on_a_ring(azimuth_deg + shake)).rings
    found = step_pattern(ring, np.arange(len(azimuth_deg)))
    assert found is not None
    return found


@pytest.mark.parametrize("sign", [1, -1])
def test_a_regular_turn(sign):
    found = pattern(sign * TURN)
    assert abs(found.step) == pytest.approx(np.deg2rad(10), abs=1e-3)
    assert np.sign(found.step) == sign * np.sign(pattern(TURN).step)
    assert found.regular
    assert not found.gaps + found.repeats + found.out_of_order


def test_missing_photos_are_gaps():
    found = pattern(np.delete(TURN, [7, 20, 21]))
    assert found.gaps == ((6, 7, 1), (18, 19, 2))
    assert found.regular


def test_files_that_are_not_of_the_ring_are_no_gaps():
    kept = np.delete(np.arange(36), [7, 20, 21])
    found = pattern(TURN[kept], kept)
    assert not found.gaps
    assert found.files == tuple(kept)


def test_thirds_of_a_turn_and_sparse_files_keep_their_direction():
    kept = np.array([0, 1, 2, 4, 5, 9, 10])
    found = pattern(30.0 * kept, kept)
    assert abs(found.step) == pytest.approx(np.deg2rad(30), abs=2e-3)
    assert found.regular


def test_neighbours_exchanged():
    turn = TURN.copy()
    turn[[11, 12]] = turn[[12, 11]]
    found = pattern(turn)
    assert found.out_of_order == (11, 12)
    assert not found.gaps
    assert not found.regular


@pytest.mark.parametrize(("source", "target"), [(30, 35), (10, 20), (20, 10), (3, 35)])
def test_one_photo_misplaced(source, target):
    order = list(TURN)
    order.insert(target, order.pop(source))
    found = pattern(np.array(order))
    assert found.out_of_order == (target,)
    assert not found.gaps


def test_the_last_photo_repeats_the_first_and_one_was_taken_twice():
    assert pattern(np.append(TURN, 360.3)).repeats == ((0, 36),)
    assert pattern(np.insert(TURN, 5, 40.2)).repeats == ((4, 5),)


@pytest.mark.parametrize("frames", [2, 3, 4])
def test_frames_of_a_stop_are_repeats_and_no_steps(frames):
    found = pattern_of(np.repeat(TURN[:12], frames))
    assert abs(found.step) == pytest.approx(np.deg2rad(10), abs=1e-3)
    assert found.regular
    assert not found.gaps + found.out_of_order
    assert len(found.repeats) == 12 * (frames - 1)
    places = np.concatenate([[0], np.cumsum(found.steps)])
    np.testing.assert_allclose(places, np.repeat(np.arange(12), frames), atol=0.05)


def test_a_pause_at_the_end_leaves_the_steps_before_it():
    found = pattern_of(np.concatenate([TURN[:20], np.full(15, TURN[19])]))
    assert abs(found.step) == pytest.approx(np.deg2rad(10), abs=1e-3)
    assert not found.gaps + found.out_of_order
    assert found.repeats[0] == (19, 20)


def test_a_gap_behind_a_pause_lies_between_its_last_frame_and_the_next_file():
    turn = np.repeat(np.delete(TURN[:12], 5), 3)
    assert pattern_of(turn).gaps == ((14, 15, 1),)


def test_uneven_steps_are_not_regular():
    rng = np.random.default_rng(0)
    found = pattern(TURN + rng.normal(0, 1, 36))
    assert not found.regular
    assert np.rad2deg(found.spread) == pytest.approx(1.4, abs=0.7)


def test_two_views_have_no_pattern():
    (ring,) = fit_circular_motion(on_a_ring(TURN)).rings
    two = type(ring)(
        ring.axis_from_world,
        ring.radius,
        ring.cam_from_axis,
        ring.views[:2],
        ring.azimuth[:2],
        *[np.zeros(2)] * 2,
    )
    assert step_pattern(two, np.arange(36)) is None
