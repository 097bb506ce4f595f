"""Poses from a file, brought to photos by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from masked_photos import photos

from masks.errors import FormatError
from pairs.views.imported_camera import ImportedCamera, ImportedCameras
from pairs.views.load import LoadOptions, load_views

K = np.array([[100.0, 0, 59.5], [0, 100, 44.5], [0, 0, 1]])


def pose(x: float) -> np.ndarray:
    found = np.eye(4)
    found[0, 3] = x
    return found


def stated(*names: str, posed: bool = True) -> ImportedCameras:
    cameras = tuple(
        ImportedCamera(name, (120, 90), K, None, pose(k + 1.0) if posed else None, f"model: image {name}")
        for k, name in enumerate(names)
    )
    return ImportedCameras("model", "COLMAP model", cameras)


def loaded(folder: Path, known: ImportedCameras):
    photos(folder)
    return load_views([folder / f"{k}.png" for k in range(4)], "auto", LoadOptions(known_poses=known))


def test_all_or_some_photos_have_a_pose_and_the_others_share_its_intrinsics(tmp_path: Path) -> None:
    views, notices = loaded(tmp_path, stated("cam/0.png", "cam/9.png"))
    assert views[0].cam_from_world is not None
    np.testing.assert_array_equal(views[0].cam_from_world, pose(1.0))
    assert [view.cam_from_world is None for view in views] == [False, True, True, True]
    np.testing.assert_array_equal(views[1].K, K)  # the same camera and size
    assert views[2].K is None  # portrait: another one
    text = " ".join(notice.text for notice in notices)
    assert "of 1 of 4 photos" in text
    assert "cam/9.png" in text
    assert "1.png, 2.png, 3.png have none" in text


def test_equal_names_in_folders_go_by_the_photos_folder(tmp_path: Path) -> None:
    views, _ = loaded(tmp_path / "b", stated("a/0.png", "b/0.png"))
    np.testing.assert_array_equal(views[0].cam_from_world, pose(2.0))
    with pytest.raises(FormatError, match=r"two cameras for 0\.png"):
        loaded(tmp_path / "c", stated("a/0.png", "b/0.png"))


def test_a_model_of_other_photos_and_one_without_poses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"names none of the photos. It names x\.jpg"):
        loaded(tmp_path / "a", stated("x.jpg"))
    with pytest.raises(FormatError, match="without poses"):
        loaded(tmp_path / "b", stated("0.png", posed=False))
