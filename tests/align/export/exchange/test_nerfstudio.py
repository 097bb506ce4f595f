"""transforms.json, read as nerfstudio's loader documents it: a plain twin of its conventions."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from lens_scene import LENSES, POINTS, lens_scene, true_pixels
from PIL import Image

from align.export.exchange.nerfstudio import NerfstudioFormat
from align.export.export_scene import export_scene
from align.export.originals import PhotoSource
from align.export.ply import read_ply
from align.scene import Scene
from masks.errors import ImageError, UserError

TOP = ("k1", "k2", "k3", "p1", "p2", "distortion_params")


def exported(
    scene: Scene, tmp_path: Path, undistorted: bool = False, masks: str = "auto"
) -> tuple[dict[str, Any], Path]:
    out = tmp_path / "out"
    form = NerfstudioFormat(undistorted=undistorted, min_conf=0.1)
    export_scene(scene, out, {"nerfstudio": form}, [PhotoSource((tmp_path / "photos",), masks)])
    return json.loads((out / "transforms.json").read_text()), out


def projected(document: dict[str, Any], frame: dict[str, Any], points: np.ndarray) -> np.ndarray:
    """Return pixels, centres at integers, by the loader's rules: intrinsics at the top or in the frame,
    distortion of the frame only where the top has none, axes of OpenGL, centres at halves; OpenCV's lens.
    """

    def intrinsic(name: str) -> float:
        return float(document[name] if name in document else frame[name])

    where = document if any(name in document for name in TOP) else frame
    assert where.get("k4", 0) == 0
    lens = np.array([where.get(name, 0.0) for name in ("k1", "k2", "p1", "p2", "k3")])
    K = np.array(
        [
            [intrinsic("fl_x"), 0, intrinsic("cx") - 0.5],
            [0, intrinsic("fl_y"), intrinsic("cy") - 0.5],
            [0, 0, 1],
        ]
    )
    camera = np.linalg.inv(np.array(frame["transform_matrix"]))
    at = points @ camera[:3, :3].T + camera[:3, 3]
    at = at * (1, -1, -1)
    xy, _ = cv2.projectPoints(at, np.zeros(3), np.zeros(3), K, lens)
    return xy[:, 0]


@pytest.mark.parametrize("model", ["PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV"])
def test_the_loader_projects_points_as_the_photos_show_them(model: str, tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", LENSES[model])
    document, _ = exported(scene, tmp_path)
    for k, frame in enumerate(document["frames"]):
        expected = true_pixels(scene, LENSES[model], k, POINTS)
        np.testing.assert_allclose(projected(document, frame, POINTS), expected, atol=1e-6)


def test_two_cameras_state_everything_in_their_frames(tmp_path: Path) -> None:
    document, _ = exported(lens_scene(tmp_path / "photos", LENSES["OPENCV"]), tmp_path)
    assert not {*TOP, "fl_x", "w", "applied_scale"} & set(document)
    assert [frame["w"] for frame in document["frames"]] == [320, 320, 240, 240]


def one_camera(scene: Scene) -> Scene:
    """Return the scene of the first two photos alone."""
    cameras = replace(scene.cameras, K=scene.cameras.K[:2], cam_from_world=scene.cameras.cam_from_world[:2])
    return replace(scene, views=scene.views[:2], cameras=cameras, edges=((0, 1),), tracks=None)


def test_one_camera_stands_at_the_top_as_importers_compare_it(tmp_path: Path) -> None:
    scene = one_camera(lens_scene(tmp_path / "photos", LENSES["RADIAL"]))
    document, _ = exported(scene, tmp_path)
    # Bit by bit, in these operations.
    assert document["camera_angle_x"] == math.atan(document["w"] / (document["fl_x"] * 2)) * 2
    assert document["camera_angle_y"] == math.atan(document["h"] / (document["fl_y"] * 2)) * 2
    assert document["orientation_override"] == "none"
    assert document["applied_transform"] == np.eye(4)[:3].tolist()
    assert all(set(frame) == {"file_path", "mask_path", "transform_matrix"} for frame in document["frames"])
    np.testing.assert_allclose(
        projected(document, document["frames"][0], POINTS), true_pixels(scene, LENSES["RADIAL"], 0, POINTS)
    )


def test_all_files_are_there_and_fit(tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", LENSES["SIMPLE_RADIAL"])
    document, out = exported(scene, tmp_path, undistorted=True)
    for frame in document["frames"]:
        with Image.open(out / frame["file_path"]) as photo, Image.open(out / frame["mask_path"]) as mask:
            assert photo.size == mask.size == (frame["w"], frame["h"])
            assert mask.mode == "L"
            assert np.asarray(mask).max() == 255
        assert (frame["k1"], frame["k2"], frame["p1"], frame["p2"]) == (0, 0, 0, 0)
    cloud = read_ply(out / document["ply_file_path"])
    assert len(cloud.points) == sum(int((view.conf > 0).sum()) for view in scene.views)


def test_without_masks_no_frame_names_one(tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", None)
    whole = []
    for view in scene.views:
        mask = np.ones_like(view.mask)
        mask[:, :2] = mask[:, -2:] = False  # the padding
        whole.append(replace(view, mask=mask))
    # The photos of the test have one plain colour around the object, as painted ones do.
    document, out = exported(replace(scene, views=tuple(whole)), tmp_path, masks="none")
    assert not any("mask_path" in frame for frame in document["frames"])
    assert not (out / "masks").exists()


def test_what_the_format_has_no_place_for_is_refused(tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", LENSES["FULL_OPENCV"])
    with pytest.raises(UserError, match=r"a 0.jpg: .*k4 to k6.*`undistorted`"):
        exported(scene, tmp_path)
    exported(scene, tmp_path, undistorted=True)
    with pytest.raises(ImageError, match="needs the photos"):
        export_scene(scene, tmp_path / "other", "nerfstudio")
