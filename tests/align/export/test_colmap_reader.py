"""COLMAP models of other programs, whole and damaged."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from align.export.colmap_reader import read_colmap
from masks.errors import FormatError

POSE = [0.5, 0.5, 0.5, 0.5, 1.0, 2.0, 3.0]


def write_text(folder: Path, **changed: str) -> Path:
    files = {
        "cameras": "# cameras\n1 PINHOLE 12 8 10 11 6 4\n2 SIMPLE_RADIAL 12 8 10 6 4 0.1\n",
        "images": "# images\n7 1 0 0 0 0 0 1 1 a.jpg\n1 2 1 3 4 -1\n2 .5 .5 .5 .5 1 2 3 2 b c.jpg\n\n",
        "points3D": "1 0 1 2 10 20 30 .5 1 0\n4 1 1 2 1 2 3 .5 1 0 2 0\n",
    }
    for name, text in (files | changed).items():
        (folder / f"{name}.txt").write_text(text)
    return folder


def write_binary(folder: Path, num_images: int = 1, num_keypoints: int = 2, point: int = 3) -> Path:
    (folder / "cameras.bin").write_bytes(struct.pack("<QIiQQ4d", 1, 5, 1, 12, 8, 10, 11, 6, 4))
    image = struct.pack("<I7dI", 9, *POSE, 5) + b"a.jpg\0" + struct.pack("<Q", num_keypoints) + bytes(48)
    (folder / "images.bin").write_bytes(struct.pack("<Q", num_images) + image)
    track = struct.pack("<Q3d3Bd", point, 1, 2, 3, 0, 0, 0, 0.5) + struct.pack("<Q", 1) + bytes(8)
    (folder / "points3D.bin").write_bytes(struct.pack("<Q", 1) + track)
    return folder


def test_text_and_binary_models_are_read(tmp_path: Path) -> None:
    cameras, points = read_colmap(write_text(tmp_path))
    np.testing.assert_array_equal(cameras.K[0], [[10, 0, 6], [0, 10, 4], [0, 0, 1]])
    np.testing.assert_array_equal(cameras.K[1], [[10, 0, 6], [0, 11, 4], [0, 0, 1]])
    np.testing.assert_allclose(
        cameras.cam_from_world[0, :3, :3], Rotation.from_quat([1, 1, 1, 1]).as_matrix()
    )
    np.testing.assert_array_equal(cameras.cam_from_world[:, :3, 3], [[1, 2, 3], [0, 0, 1]])
    np.testing.assert_array_equal(points, [[0, 1, 2], [0, 0, 0], [0, 0, 0], [1, 1, 2]])
    cameras, points = read_colmap(write_binary(tmp_path))
    np.testing.assert_array_equal(cameras.K, [[[10, 0, 6], [0, 11, 4], [0, 0, 1]]])
    np.testing.assert_array_equal(points[2], [1, 2, 3])


def test_every_model_of_a_camera_is_known(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    for name in pycolmap.CameraModelId.__members__:
        if name in ("INVALID", "EQUIRECTANGULAR"):  # the latter has no focal
            continue
        camera = pycolmap.Camera.create_from_model_name(1, name, 10.0, 12, 8)
        params = " ".join(map(str, camera.params))
        line = f"1 {name} 12 8 {params}\n2 PINHOLE 12 8 10 11 6 4"
        found, _ = read_colmap(write_text(tmp_path, cameras=line))
        np.testing.assert_array_equal(found.K[1], camera.calibration_matrix())


@pytest.mark.parametrize(
    "changed",
    [
        {"num_images": 1 << 60},
        {"num_images": 2},
        {"num_keypoints": 1 << 60},
        {"num_keypoints": 3},
        {"point": 1 << 40},
        {"point": 0},
    ],
)
def test_counts_and_ids_that_cannot_be_are_refused_at_once(tmp_path: Path, changed: dict[str, int]) -> None:
    with pytest.raises(FormatError, match=f"{tmp_path}: holds a (damaged COLMAP model|point number)"):
        read_colmap(write_binary(tmp_path, **changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"cameras": "1 PINHOLE 12 8 10 11 6"},
        {"cameras": "1 WIDE 12 8 10 11 6 4"},
        {"cameras": "1 PINHOLE 12 8 nan 11 6 4\n2 PINHOLE 12 8 10 11 6 4"},
        {"cameras": "1 PINHOLE 12 8 -10 11 6 4\n2 PINHOLE 12 8 10 11 6 4"},
        {"images": "7 0 0 0 0 0 0 1 1 a.jpg\n\n"},
        {"images": "7 1 0 0 0 inf 0 1 1 a.jpg\n\n"},
        {"images": "7 1 0 0 0 0 0 1 3 a.jpg\n\n"},
        {"points3D": "x 0 1 2"},
    ],
)
def test_texts_that_cannot_be_are_refused(tmp_path: Path, changed: dict[str, str]) -> None:
    with pytest.raises(FormatError, match="holds a damaged COLMAP model"):
        read_colmap(write_text(tmp_path, **changed))
