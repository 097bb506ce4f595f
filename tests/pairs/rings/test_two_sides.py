"""An object that was turned over joins from outlines alone, or is refused."""

from __future__ import annotations

import numpy as np
import pytest
from ellipsoid_masks import BODY, EGG, Ellipsoid, outlines_of, turntable
from scipy.spatial.transform import Rotation
from turning_cameras import moved

from pairs.rings.outline import Outline
from pairs.rings.two_sides import TwoSides, join_sides, without_foot
from pairs.views.cameras import Cameras

STANDING = turntable(8, 45.0)


def lying(turn_deg: float) -> Cameras:
    """Return the cameras of a second run, in the world of the first: the object was turned over about x."""
    over = np.eye(4)
    over[:3, :3] = Rotation.from_euler("xz", [turn_deg, 20.0], degrees=True).as_matrix()
    return Cameras(STANDING.K, STANDING.cam_from_world @ over)


def both_outlines(second: Cameras, solid: tuple[Ellipsoid, ...]) -> tuple[list[Outline], list[Outline]]:
    return outlines_of(STANDING, solid), outlines_of(second, solid)


def joined(second: Cameras, first: list[Outline], other: list[Outline]) -> TwoSides:
    elsewhere = Cameras(second.K, moved(second.cam_from_world, seed=3, scale=1.7))
    return join_sides(STANDING, first, elsewhere, other)


@pytest.mark.parametrize("turn", [180.0, 90.0])
def test_the_second_run_stands_where_it_did(turn: float) -> None:
    second = lying(turn)
    found = joined(second, *both_outlines(second, BODY))
    assert found.accepted
    assert found.tangency < 0.3
    assert found.scale == pytest.approx(1 / 1.7, rel=0.01)
    R, true = found.cam_from_world[:, :3, :3], second.cam_from_world[:, :3, :3]
    cosine = (np.einsum("vij,vij->v", R, true) - 1) / 2
    assert np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max() < 0.5
    centres = Cameras(second.K, found.cam_from_world).centres
    assert np.abs(centres - second.centres).max() < 0.05


def test_a_body_of_revolution_is_refused() -> None:
    second = lying(90.0)
    assert not joined(second, *both_outlines(second, EGG)).accepted


def test_outlines_of_another_object_are_refused() -> None:
    second = lying(90.0)
    first, _ = both_outlines(second, BODY)
    other = outlines_of(second, (((0.0, 0.0, 0.0), (0.5, 0.3, 0.8)), ((0.3, 0.2, -0.6), (0.3, 0.3, 0.2))))
    assert not joined(second, first, other).accepted


def test_only_tangents_at_the_foot_are_left_out() -> None:
    outline = outlines_of(STANDING, BODY)[0]
    cut = without_foot(outline, np.array([0.0, 1.0]))
    height = outline.hull[:, 1]
    low = height > height.max() - 0.15 * np.ptp(height)
    np.testing.assert_array_equal(cut.on_frame, low)
    assert 0 < low.sum() < len(low)
