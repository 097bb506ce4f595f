"""LLFF's poses, by their published conventions written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from posed_ring import TRUE

from align.imports.known_poses import read_known_poses
from align.imports.llff import read_llff
from masks.errors import FormatError
from pairs.views.imported_camera import ImportedCameras


def written(path: Path, count: int = 3) -> Path:
    rows = []
    for matrix in TRUE[:count]:
        world_from_cam = np.linalg.inv(matrix)
        right, down, ahead = world_from_cam[:3, :3].T
        columns = [down, right, -ahead, world_from_cam[:3, 3], np.array([480, 640, 900])]
        rows.append([*np.stack(columns, axis=1).ravel(), 1.0, 9.0])
    np.save(path, np.array(rows))
    return path


def test_columns_are_down_right_back_and_photos_sorted(tmp_path: Path) -> None:
    found = read_llff(written(tmp_path / "poses_bounds.npy"), ["10.jpg", "2.jpg", "1.jpg"])
    assert [camera.file for camera in found.cameras] == ["1.jpg", "10.jpg", "2.jpg"]
    for camera, matrix in zip(found.cameras, TRUE):
        assert camera.cam_from_world is not None
        np.testing.assert_allclose(camera.cam_from_world, matrix, atol=1e-12)
        np.testing.assert_array_equal(camera.K, [[900, 0, 319.5], [0, 900, 239.5], [0, 0, 1]])
        assert camera.size == (640, 480)


def test_a_folder_that_holds_one_is_told_by_it(tmp_path: Path) -> None:
    written(tmp_path / "poses_bounds.npy")
    found = read_known_poses(tmp_path, [Path(f"{k}.jpg") for k in range(3)])
    assert isinstance(found, ImportedCameras)
    assert found.kind == "poses_bounds.npy"


def test_the_count_must_fit(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds 3 poses, and there are 2 photos"):
        read_llff(written(tmp_path / "poses_bounds.npy"), ["a.jpg", "b.jpg"])


@pytest.mark.parametrize("array", [np.zeros((2, 15)), np.full((2, 17), np.nan), np.array([{}], object)])
def test_other_arrays_are_refused(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", array, allow_pickle=True)
    with pytest.raises(FormatError, match=r"p\.npy"):
        read_llff(tmp_path / "p.npy", ["a.jpg", "b.jpg"])
