"""Views placed on rings at two heights of one axis by their outlines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from ellipsoid_masks import BODY, CROSS, Ellipsoid, around_origin, outlines_of, pinholes

from pairs.backends.classical.completion.growing import grown
from pairs.backends.classical.completion.grown_ring import GrownRing, RingEvidence
from pairs.rings.ring import Grade, fit_circular_motion
from pairs.views.cameras import Cameras

AZIMUTHS = 45.0 * np.arange(8)
POSES = np.concatenate([around_origin(AZIMUTHS, 15.0), around_origin(AZIMUTHS + 7.0, 45.0)])
CAMERAS = pinholes(POSES)
LOW, HIGH = [0, 1, 2, 3, 6], [9, 10, 11, 12, 13]


def grown_from(
    cameras: Cameras, views: list[int], solid: tuple[Ellipsoid, ...] = BODY, focal: float = 1.0
) -> GrownRing:
    motion = fit_circular_motion(cameras.cam_from_world[views])
    assert motion.grade is Grade.EXACT
    rings = [replace(ring, views=np.array(views)[ring.views]) for ring in motion.rings]
    outlines = dict(enumerate(outlines_of(cameras, solid)))
    K = cameras.K[0] * np.array([[focal, 1, 1], [1, focal, 1], [1, 1, 1]])
    nothing = [np.zeros((0, 2))] * len(cameras.K)
    evidence = RingEvidence(outlines, dict.fromkeys(outlines, K), {}, nothing, False, 0)
    start = GrownRing(rings[0], np.stack([K] * len(views)), {}, beside=tuple(rings[1:]))
    return grown(start, (), evidence)


def largest_error_deg(found: GrownRing, cameras: Cameras) -> float:
    R = found.cam_from_world()[:, :3, :3]
    true = cameras.cam_from_world[list(found.views), :3, :3]
    off = (R @ R[0].T) @ (true @ true[0].T).transpose(0, 2, 1)
    return float(np.rad2deg(np.arccos(np.clip((np.trace(off, axis1=1, axis2=2) - 1) / 2, -1, 1))).max())


def test_every_view_comes_to_the_ring_of_its_height() -> None:
    azimuths = 30.0 * np.arange(12)
    poses = np.concatenate([around_origin(azimuths, 15.0), around_origin(azimuths + 7.0, 45.0)])
    cameras = pinholes(poses)
    known = [view for view in range(24) if view not in (3, 4, 10, 15, 22)]
    found = grown_from(cameras, known, focal=1.03)
    assert found.views == tuple(range(24))
    assert {frozenset(map(int, ring.views)) for ring in (found.ring, *found.beside)} == {
        frozenset(range(12)),
        frozenset(range(12, 24)),
    }
    assert largest_error_deg(found, cameras) < 0.5
    assert np.unique(found.K[:, 0, 0]).size == 1
    assert found.unclear == {}


def test_files_in_any_order_end_on_the_same_rings() -> None:
    order = np.random.default_rng(1).permutation(16)
    mixed = Cameras(CAMERAS.K[order], CAMERAS.cam_from_world[order])
    known = [int(np.flatnonzero(order == view)[0]) for view in (*LOW, *HIGH)]
    found = grown_from(mixed, sorted(known))
    assert len(found.views) == 16
    assert largest_error_deg(found, mixed) < 0.5


def test_cameras_rolled_by_a_quarter_turn_are_placed_as_well() -> None:
    rolled = pinholes(
        np.concatenate([around_origin(AZIMUTHS, 15.0, 90.0), around_origin(AZIMUTHS + 7.0, 45.0, -90.0)])
    )
    found = grown_from(rolled, [*LOW, *HIGH])
    assert len(found.views) == 16
    assert largest_error_deg(found, rolled) < 0.5


def test_a_view_of_a_third_height_is_left_out() -> None:
    poses = POSES.copy()
    poses[15] = around_origin(np.array([100.0]), 75.0)[0]
    cameras = pinholes(poses)
    found = grown_from(cameras, [*LOW, *HIGH])
    assert found.views == tuple(range(15))
    assert found.unclear is not None
    assert list(found.unclear) == [15]


def test_sides_that_look_alike_are_not_guessed() -> None:
    found = grown_from(CAMERAS, [*LOW, *HIGH], CROSS)
    assert found.views == tuple(sorted([*LOW, *HIGH]))
    assert found.unclear is not None
    assert all(len(placement.rivals) > 1 for placement in found.unclear.values())
