"""An object turned over is told from a camera that was rolled or moved."""

from __future__ import annotations

import numpy as np
import pytest
from ellipsoid_masks import around_origin
from scipy.spatial.transform import Rotation
from turning_cameras import moved

from pairs.rings.ring import Grade, fit_circular_motion
from pairs.rings.turned_over import standing, turned_over

AZIMUTHS = 30.0 * np.arange(12)


def over(degrees: float) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xz", [degrees, 40.0], degrees=True).as_matrix()
    return pose


def found(second: np.ndarray) -> tuple[tuple[bool, ...], list[int]]:
    poses = moved(np.concatenate([around_origin(AZIMUTHS), second]), seed=1)
    motion = fit_circular_motion(poses)
    assert motion.grade is Grade.EXACT
    assert len(motion.rings) == 2
    return turned_over(motion), standing(motion, len(poses)).tolist()


@pytest.mark.parametrize("degrees", [180.0, 90.0, 60.0])
def test_an_object_turned_over(degrees: float) -> None:
    which, views = found(around_origin(AZIMUTHS) @ over(degrees))
    assert which == (False, True)
    assert views == list(range(12))


def test_a_camera_rolled_in_the_hand_turns_nothing_over() -> None:
    which, views = found(around_origin(AZIMUTHS, roll_deg=180.0))
    assert which == (False, False)
    assert views == list(range(24))


def test_a_camera_that_looks_up_from_below_turns_nothing_over() -> None:
    assert found(around_origin(AZIMUTHS, tilt_deg=-20.0))[0] == (False, False)
