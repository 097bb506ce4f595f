"""Poses on a turntable's circle are held on it exactly as far as the matches agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from small_measurements import small_measurements
from small_scene import cam_from_world

from align.bundle.bundle_alignment import BundleSolution, bundle_adjust
from align.bundle.options import BundleOptions
from align.measurements.gathered import Measurements
from align.measurements.known_cameras import Known
from pairs.rings.ring import fit_circular_motion

NUM_VIEWS = 10
EDGES = [(a, b) for b in range(NUM_VIEWS) for a in range(max(b - 3, 0), b)]
"""A window, so that errors add up."""


def turned(azimuth_deg: np.ndarray, nudge_deg: float = 0.0) -> torch.Tensor:
    """Return the small scene's cameras moved along their circle by angles (V,), then nudged off it."""
    rng = np.random.default_rng(0)
    poses = cam_from_world(NUM_VIEWS).numpy().copy()
    turn = Rotation.from_euler("y", azimuth_deg[:, None], degrees=True).as_matrix()
    nudge = Rotation.from_rotvec(np.deg2rad(nudge_deg) * rng.normal(size=(NUM_VIEWS, 3))).as_matrix()
    poses[:, :3, :3] = poses[:, :3, :3] @ nudge @ turn
    return torch.from_numpy(poses)


def blurred(poses: torch.Tensor, sigma_px: float = 0.7) -> Measurements:
    """Return what is measured of cameras, each match off by some noise."""
    measurements, rng = small_measurements(NUM_VIEWS, EDGES, poses=poses), np.random.default_rng(1)
    records = [
        replace(r, xy_b=r.xy_b + torch.from_numpy(rng.normal(0, sigma_px, r.xy_b.shape)))
        for r in measurements.records
    ]
    return replace(measurements, records=tuple(records))


def error_deg(solution: BundleSolution, true: torch.Tensor) -> float:
    """Return the mean rotation error in degrees after the best common rotation."""
    R = solution.cam_from_world[:, :3, :3].transpose(0, 2, 1) @ true.numpy()[:, :3, :3]
    common = Rotation.from_matrix(R).mean()
    return float(np.rad2deg((common.inv() * Rotation.from_matrix(R)).magnitude().mean()))


def said(solution: BundleSolution) -> str:
    return " ".join(notice.text for notice in solution.notices if notice.subject == "turntable")


EVEN, UNEVEN = np.zeros(NUM_VIEWS), np.random.default_rng(3).normal(0, 1.5, NUM_VIEWS)


@pytest.mark.parametrize(("azimuth_deg", "steps"), [(EVEN, True), (UNEVEN, False)])
def test_a_turntables_views_stand_on_one_circle(azimuth_deg: np.ndarray, steps: bool) -> None:
    true = turned(azimuth_deg)
    measurements = blurred(true)
    held = bundle_adjust(measurements, BundleOptions())
    free = bundle_adjust(measurements, BundleOptions(turntable="off"))
    assert "10 of 10 views" in said(held)
    assert ("equal steps" in said(held)) == steps
    (ring,) = fit_circular_motion(held.cam_from_world).rings
    assert ring.place_residual.max() < 1e-6
    assert error_deg(held, true) < error_deg(free, true)
    assert said(free) == ""


def test_an_object_nudged_at_every_photo_is_on_no_circle_although_it_looks_so() -> None:
    measurements = blurred(turned(EVEN, nudge_deg=0.15), 0.2)
    free = bundle_adjust(measurements, BundleOptions(turntable="off"))
    assert fit_circular_motion(free.cam_from_world).grade.value == "exact"
    solution = bundle_adjust(measurements, BundleOptions())
    np.testing.assert_array_equal(solution.cam_from_world, free.cam_from_world)
    assert solution.notices == free.notices


def test_poses_that_a_user_states_are_on_the_circle_that_they_are_on() -> None:
    poses = turned(EVEN)
    solution = bundle_adjust(blurred(poses), BundleOptions(), Known(cam_from_world=dict(enumerate(poses))))
    assert said(solution) == ""
