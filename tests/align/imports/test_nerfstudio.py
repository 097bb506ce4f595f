"""transforms.json, written by hand, as nerfstudio's loader takes it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from align.imports import read_cameras_of
from masks.errors import FormatError
from masks.lens import Lens
from masks.notice import Level

FILE = {"fl_x": 500.0, "fl_y": 510.0, "cx": 322.0, "cy": 241.0, "w": 640, "h": 480}
POSE = np.eye(4)
POSE[:3, :3] = Rotation.from_rotvec([0.2, -0.4, 0.1]).as_matrix()
POSE[:3, 3] = (1.0, 2.0, 3.0)


def written(folder: Path, frames: list[dict] | None = None, **file: object) -> Path:
    frames = frames or [{"file_path": "images/a.jpg", "transform_matrix": POSE.tolist()}]
    path = folder / "transforms.json"
    path.write_text(json.dumps({**file, "frames": frames}))
    return path


def test_a_point_lands_where_opengl_axes_and_half_pixels_put_it(tmp_path: Path) -> None:
    (camera,) = read_cameras_of(written(tmp_path, **FILE, camera_model="OPENCV", k1=0, k2=0)).cameras
    # The plain rule: the camera looks along its -z, y is up, and pixel (0, 0) has its centre at (0.5, 0.5).
    in_opengl = np.array([0.3, -0.2, -2.0])
    world = POSE[:3, :3] @ in_opengl + POSE[:3, 3]
    wanted = (322 + 500 * 0.3 / 2.0 - 0.5, 241 + 510 * 0.2 / 2.0 - 0.5)
    assert camera.cam_from_world is not None
    seen = camera.K @ (camera.cam_from_world @ [*world, 1.0])[:3]
    np.testing.assert_allclose(seen[:2] / seen[2], wanted, atol=1e-9)
    assert (camera.file, camera.size, camera.lens) == ("images/a.jpg", (640, 480), None)


def test_the_files_intrinsics_come_before_those_of_the_frames(tmp_path: Path) -> None:
    frames = [{"file_path": "a.jpg", "fl_x": 400.0, "k1": 0.3}, {"file_path": "b.jpg"}]
    found = read_cameras_of(written(tmp_path, frames, **FILE, k2=0.05))
    assert [camera.K[0, 0] for camera in found.cameras] == [500.0, 500.0]
    # A coefficient in the file makes nerfstudio ignore all those of the frames, also the others.
    assert [camera.lens for camera in found.cameras] == [Lens("RADIAL", (0.0, 0.05))] * 2
    (said,) = found.notices
    assert said.level is Level.WARNING
    assert "differ in the frames of a.jpg: the file's are taken" in said.text


def test_frames_have_their_own_where_the_file_says_nothing(tmp_path: Path) -> None:
    frames = [
        {"file_path": "a.jpg", **FILE, "k1": 0.3, "p2": 0.001},
        {"file_path": "b.jpg", **FILE, "fl_x": 480.0, "distortion_params": [0.1, 0.2, 0.3, 0, 0.4, 0.5]},
        # k4 in the file does not hide the frames' coefficients.
        {"file_path": "c.jpg", **FILE, "k1": 0.7},
    ]
    found = read_cameras_of(written(tmp_path, frames, k4=0.0))
    lenses = [camera.lens for camera in found.cameras]
    assert lenses[0] == Lens("OPENCV", (0.3, 0.0, 0.0, 0.001))
    assert lenses[1] == Lens("FULL_OPENCV", (0.1, 0.2, 0.4, 0.5, 0.3, 0, 0, 0))
    assert lenses[2] == Lens("SIMPLE_RADIAL", (0.7,))
    assert [camera.K[0, 0] for camera in found.cameras] == [500.0, 480.0, 500.0]
    assert not found.notices


def test_rendered_scenes_say_an_angle_and_the_photo_its_size(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    Image.new("RGB", (80, 60)).save(tmp_path / "train" / "r_0.png")
    path = written(tmp_path, [{"file_path": "./train/r_0"}], camera_angle_x=math.pi / 2)
    (camera,) = read_cameras_of(path).cameras
    assert camera.size == (80, 60)
    np.testing.assert_allclose(camera.K, [[40, 0, 39.5], [0, 40, 29.5], [0, 0, 1]], atol=1e-12)


def test_photos_outside_of_the_folder_are_not_looked_at(tmp_path: Path) -> None:
    Image.new("RGB", (80, 60)).save(tmp_path / "r.png")
    (tmp_path / "inner").mkdir()
    path = written(tmp_path / "inner", [{"file_path": "../r.png"}], camera_angle_x=1.0)
    with pytest.raises(FormatError, match="Add w and h"):
        read_cameras_of(path)


def test_the_worlds_of_the_frames_are_left_alone_and_said(tmp_path: Path) -> None:
    plain = read_cameras_of(written(tmp_path, **FILE)).cameras[0]
    found = read_cameras_of(written(tmp_path, **FILE, applied_transform=[[1, 0, 0, 0]]))
    np.testing.assert_array_equal(found.cameras[0].cam_from_world, plain.cam_from_world)
    assert "applied_transform is left alone" in found.notices[0].text


@pytest.mark.parametrize(
    ("file", "frame", "words"),
    [
        ({}, {}, "frame 0 .a.jpg.: states no w and h"),
        ({"w": 640, "h": 480}, {}, "frame 0 .a.jpg.: states no focal length"),
        ({"w": 640, "h": 480, "fl_x": 500}, {}, "without cx and cy"),
        (FILE | {"fl_x": "500"}, {}, "fl_x is '500'"),
        (FILE | {"fl_y": -500}, {}, "pixels above 0"),
        (FILE | {"w": 640.5}, {}, "Give whole pixels"),
        ({"w": 640, "h": 480, "camera_angle_x": 4}, {}, "radians between 0 and pi"),
        (FILE | {"k4": 0.1, "k1": 0.2}, {}, "k4 is 0.1, which only fisheyes have"),
        (FILE | {"camera_model": "OPENCV_FISHEYE"}, {}, "'OPENCV_FISHEYE'. Undistort the photos first"),
        (FILE | {"k1": float("nan")}, {}, "k1 is nan"),
        (FILE | {"distortion_params": [1, 2]}, {}, "Give k1 k2 k3 k4 p1 p2"),
        (FILE, {"file_path": 3}, "frame 0: file_path is 3"),
        (FILE, {"transform_matrix": [[1, 2], [3]]}, "does not hold 4x4 numbers"),
        (FILE, {"transform_matrix": (2 * POSE).tolist()}, "transform_matrix is not a rigid motion"),
    ],
)
def test_files_that_cannot_be(tmp_path: Path, file: dict, frame: dict, words: str) -> None:
    path = written(tmp_path, [{"file_path": "a.jpg"} | frame], **file)
    with pytest.raises(FormatError, match=words) as caught:
        read_cameras_of(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("text", ['{"frames": []}', '{"frames": 3}', "{}", '{"frames": [3]}', "{"])
def test_texts_that_are_no_transforms(tmp_path: Path, text: str) -> None:
    (tmp_path / "transforms.json").write_text(text)
    with pytest.raises(FormatError, match="transforms"):
        read_cameras_of(tmp_path)
