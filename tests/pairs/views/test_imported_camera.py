"""Cameras of other programs, turned and resized with their photos."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from masks.errors import FormatError
from masks.lens import Lens, distort
from masks.pixelmap import identity, to_target
from pairs.views.imported_camera import ImportedCamera, resized, turned

POINTS = np.random.default_rng(0).uniform(-1, 1, (20, 3))


def camera(pose: bool = True) -> ImportedCamera:
    K = np.array([[400.0, 0, 311.0], [0, 410.0, 250.0], [0, 0, 1]])
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = Rotation.from_rotvec([0.2, -0.1, 0.3]).as_matrix()
    cam_from_world[:3, 3] = (0.1, 0.2, 4.0)
    lens = Lens("FULL_OPENCV", (-0.2, 0.05, 0.01, -0.02, 0.001, 0.01, 0.002, 0.003))
    return ImportedCamera("a.jpg", (640, 480), K, lens, cam_from_world if pose else None, "file: a.jpg")


def seen(camera: ImportedCamera, axes: np.ndarray | None = None) -> np.ndarray:
    """Return the pixels of the points, given in the world or, with axes, in the camera turned by them."""
    in_camera = POINTS + np.array([0, 0, 4])
    if axes is not None:
        in_camera = in_camera @ axes.T
    elif camera.cam_from_world is not None:
        in_camera = POINTS @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
    assert camera.lens is not None
    at = distort(camera.lens, in_camera[:, :2] / in_camera[:, 2:])
    return at @ camera.K[:2, :2].T + camera.K[:2, 2]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_turned_camera_sees_points_where_the_turned_photo_shows_them(orientation: int) -> None:
    upright = turned(camera(), orientation)
    photo = identity((640, 480), orientation)
    assert upright.size == photo.upright_size
    np.testing.assert_allclose(seen(upright), to_target(photo, seen(camera())), atol=1e-9)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_intrinsics_and_lens_turn_and_mirror_with_the_axes(orientation: int) -> None:
    upright = turned(camera(pose=False), orientation)
    photo = identity((640, 480), orientation)
    wanted = to_target(photo, seen(camera(pose=False), np.eye(3)))
    np.testing.assert_allclose(seen(upright, photo.axes_turn), wanted, atol=1e-9)


def test_a_mirrored_photo_has_no_pose() -> None:
    with pytest.raises(FormatError, match=r"file: a\.jpg: the photo's EXIF mirrors it.*Save it unmirrored"):
        turned(camera(), 5)


def test_a_resized_camera_keeps_the_outline_of_its_photo() -> None:
    small = resized(camera(), (320, 240))
    np.testing.assert_allclose((seen(small) + 0.5) * 2 - 0.5, seen(camera()), atol=1e-9)
    assert (small.size, small.lens) == ((320, 240), camera().lens)
