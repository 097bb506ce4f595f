"""Camera files of every kind, written by other programs or by hand, in one convention."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from align.export.cameras_json import PhotoCamera, write_cameras
from align.imports import read_cameras_of
from masks.errors import FormatError
from masks.lens import Lens, distort

K = np.array([[810.0, 0, 321.25], [0, 805.0, 243.5], [0, 0, 1]])
COEFFICIENTS = (-0.11, 0.04, 0.003, -0.002, 0.01, 0.02, -0.03, 0.001)
YAML = """image_width: 640
image_height: 480
camera_name: narrow
camera_matrix:
  rows: 3
  cols: 3
  data: [810.0, 0.0, 321.25, 0.0, 805.0, 243.5, 0.0, 0.0, 1.0]
distortion_model: {model}
distortion_coefficients:
  rows: 1
  cols: {count}
  data: {data}
"""


def opencv_file(path: Path, count: int, keys: tuple[str, str] = ("camera_matrix", "dist_coeffs")) -> Path:
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 640)
    storage.write("image_height", 480)
    storage.write(keys[0], K)
    storage.write(keys[1], np.array([COEFFICIENTS[:count]]))
    storage.release()
    return path


@pytest.mark.parametrize("ending", ["yml", "xml", "json"])
@pytest.mark.parametrize("count", [4, 5, 8])
def test_calibrations_that_opencv_wrote(tmp_path: Path, ending: str, count: int) -> None:
    found = read_cameras_of(opencv_file(tmp_path / f"lens.{ending}", count))
    (camera,) = found.cameras
    assert (camera.file, camera.size, camera.cam_from_world) == ("", (640, 480), None)
    np.testing.assert_array_equal(camera.K, K)
    assert camera.lens is not None
    np.testing.assert_array_equal(camera.lens.opencv, np.pad(COEFFICIENTS[:count], (0, 8 - count)))


def test_calibrations_of_ros(tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_text(YAML.format(model="plumb_bob", count=5, data=[-0.1, 0.2, 0, 0, 0]))
    (camera,) = read_cameras_of(tmp_path / "camera.yaml").cameras
    np.testing.assert_array_equal(camera.K, K)
    assert camera.lens == Lens("RADIAL", (-0.1, 0.2))


@pytest.mark.parametrize(
    "text",
    [
        "K:\n- - 810.0\n  - 0.0\n  - 321.25\n- [0.0, 805.0, 243.5]\n- [0, 0, 1]\nD:\n- -0.1\n- 2e-1\n"
        "- 0\n- 0\nfisheye_model: 0\n"
        "height: 480\nwidth: 640\nheader:\n  seq: 1\n",
        "image_size: [640, 480]\ncamera_matrix:\n  cols: 3\n  data: [810, 0, 321.25,\n    0, 805, 243.5,\n"
        "    0, 0, 1]\n  rows: 3\ndist: [-0.1, 0.2, 0.0, 0.0]\n",
        json.dumps({"camera_matrix": K.tolist(), "dist": [[-0.1, 0.2, 0, 0]], "image_size": [640, 480]}),
    ],
)
def test_calibrations_as_scripts_write_them(tmp_path: Path, text: str) -> None:
    (tmp_path / "lens").write_text(text)
    (camera,) = read_cameras_of(tmp_path / "lens").cameras
    np.testing.assert_array_equal(camera.K, K)
    assert (camera.size, camera.lens) == ((640, 480), Lens("RADIAL", (-0.1, 0.2)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (YAML.format(model="equidistant", count=4, data=[0.1, 0, 0, 0]), "fisheye. Undistort the photos"),
        (YAML.format(model="", count=0, data=[]) + "fisheye_model: 1\n", "fisheye. Undistort the photos"),
        (YAML.format(model="plumb_bob", count=3, data=[0.1, 0, 0]), "has 3 distortion coefficients"),
        (YAML.format(model="plumb_bob", count=12, data=[0.1] * 12), "has 12 distortion coefficients"),
        (YAML.format(model="plumb_bob", count=4, data=[".Nan", 0, 0, 0]).replace("'", ""), "finite"),
        (YAML.format(model="", count=0, data=[]).replace("image_width", "w"), "does not say for which size"),
        (YAML.format(model="", count=0, data=[]).replace("640", "-640"), "cannot be"),
        (YAML.format(model="", count=0, data=[]).replace("810.0", "-810.0"), "not a pinhole's"),
        (YAML.format(model="", count=0, data=[]).replace("[810.0, 0.0", "[810.0, 30.0"), "has a skew"),
        ("%YAML:1.0\n---\nfocal: 3\n", "holds no camera_matrix"),
        ("%YAML:1.0\n---\ncamera_matrix: [1, {\n", "damaged calibration .could not convert"),
        ("%YAML:1.0\n---\ncamera_matrix: " + "[" * 300_000, "not a pinhole's"),
        # OpenCV's own parser never comes back from this one.
        ("%YAML 1.2\n   rows: 3\n---\n-inf 640\nimage_height: 480\nK: 3\n", "not a pinhole's"),
        ("nothing\n", "holds no cameras of a kind that is known"),
        ("", "holds no cameras of a kind that is known"),
        ("# cameras\n1 PINHOLE 64 48 50 50 32 24\n", "Call it cameras.txt"),
    ],
)
def test_calibrations_that_cannot_be(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "lens.yaml"
    path.write_text(text)
    with pytest.raises(FormatError, match=words) as caught:
        read_cameras_of(path)
    assert str(caught.value).startswith(str(path))


def colmap_camera(model: str):
    pycolmap = pytest.importorskip("pycolmap")
    camera = pycolmap.Camera.create_from_model_name(1, model, 800.0, 640, 480)
    params = np.array(camera.params)
    start = len(camera.focal_length_idxs()) + 2
    params[start - 2 : start] = (321.75, 244.0)
    params[start:] = COEFFICIENTS[: len(params) - start]
    camera.params = params
    return camera


@pytest.mark.parametrize(
    "model", ["SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV"]
)
@pytest.mark.parametrize("binary", [True, False])
def test_models_that_colmap_wrote(tmp_path: Path, model: str, binary: bool) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    camera = colmap_camera(model)
    reconstruction = pycolmap.Reconstruction()
    reconstruction.add_camera_with_trivial_rig(camera)
    pose = pycolmap.Rigid3d(pycolmap.Rotation3d(np.array([0.1, -0.2, 0.3])), np.array([1.0, 2.0, 3.0]))
    image = pycolmap.Image(name="left/a.jpg", camera_id=1, image_id=4)
    reconstruction.add_image_with_trivial_frame(image, pose)
    (reconstruction.write_binary if binary else reconstruction.write_text)(str(tmp_path))
    for path in (tmp_path, tmp_path / ("cameras.bin" if binary else "images.txt")):
        (found,) = read_cameras_of(path).cameras
        assert (found.file, found.size) == ("left/a.jpg", (640, 480))
        # By the projection of another program, which also says where the first pixel centre is.
        at = np.array([0.21, -0.17])
        shown = distort(found.lens, at) if found.lens else at
        wanted = camera.img_from_cam(np.array([*at, 1.0]))
        np.testing.assert_allclose(found.K[:2, :2] @ shown + found.K[:2, 2] + 0.5, wanted, atol=1e-9)
        assert found.cam_from_world is not None
        np.testing.assert_allclose(found.cam_from_world[:3], pose.matrix(), atol=1e-12)


def test_cameras_of_colmap_without_images_are_for_all_photos_of_their_size(tmp_path: Path) -> None:
    (tmp_path / "cameras.txt").write_text("# Camera list\n3 SIMPLE_RADIAL 640 480 800 320 240 0.1\n")
    (camera,) = read_cameras_of(tmp_path / "cameras.txt").cameras
    assert (camera.file, camera.size, camera.lens) == ("", (640, 480), Lens("SIMPLE_RADIAL", (0.1,)))
    np.testing.assert_array_equal(camera.K[:2, 2], (319.5, 239.5))


@pytest.mark.parametrize("model", ["OPENCV_FISHEYE", "FOV", "THIN_PRISM_FISHEYE", "RADIAL_FISHEYE"])
def test_other_models_of_colmap_are_refused_by_name(tmp_path: Path, model: str) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    params = pycolmap.Camera.create_from_model_name(1, model, 800.0, 640, 480).params
    (tmp_path / "cameras.txt").write_text(f"1 {model} 640 480 {' '.join(map(str, params))}\n")
    with pytest.raises(FormatError, match=f"camera 1: its camera is a {model}. Undistort the photos first"):
        read_cameras_of(tmp_path)


def test_cameras_json(tmp_path: Path) -> None:
    lens = Lens("OPENCV", (-0.1, 0.02, 0.001, 0.002))
    R = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    write_cameras(tmp_path / "any.name", [PhotoCamera("a.jpg", 640, 480, K, R, np.arange(3.0), lens)])
    (camera,) = read_cameras_of(tmp_path / "any.name").cameras
    assert (camera.file, camera.size, camera.lens) == ("a.jpg", (640, 480), lens)
    np.testing.assert_array_equal(camera.K, K)
    assert camera.cam_from_world is not None
    np.testing.assert_array_equal(camera.cam_from_world[:3], np.column_stack([R, np.arange(3.0)]))


def test_a_folder_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="a folder without a COLMAP model"):
        read_cameras_of(tmp_path)
    frame = {"file_path": "a.jpg", "w": 64, "h": 48, "camera_angle_x": 0.8}
    (tmp_path / "transforms.json").write_text(json.dumps({"frames": [frame]}))
    assert read_cameras_of(tmp_path).kind == "transforms.json"
    (tmp_path / "sparse" / "0").mkdir(parents=True)
    (tmp_path / "sparse" / "0" / "cameras.txt").write_text("1 PINHOLE 64 48 50 50 32 24\n")
    assert read_cameras_of(tmp_path).kind == "COLMAP cameras"


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"lens.yml: cannot be read \(No such file"):
        read_cameras_of(tmp_path / "lens.yml")
