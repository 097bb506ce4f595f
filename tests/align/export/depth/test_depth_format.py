"""Depth files, read by other programs with depth.json alone, give the points of the world."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from plane_scene import NORMAL, OFFSET, plane_scene
from stored_scene import small_scene

from align.export.depth.depth_format import DepthFormat
from align.export.export_scene import export_scene
from masks.errors import MissingExtraError, UserError
from masks.lens import Lens

BARREL = Lens("OPENCV", (-0.15, 0.04, 0.002, -0.003))


def read_depth(path: Path) -> np.ndarray:
    if path.suffix == ".png":
        with Image.open(path) as picture:
            assert picture.mode.startswith("I;16")
            return np.asarray(picture).astype(float)
    if path.suffix == ".npy":
        return np.load(path)
    OpenEXR = pytest.importorskip("OpenEXR", reason="EXR is an extra (pip install pointloom[exr])")
    return np.asarray(OpenEXR.File(str(path)).channels()["Z"].pixels)


def world_points(frame: dict[str, Any], depth: np.ndarray) -> np.ndarray:
    """Return the points (N, 3) of known pixels, with OpenCV's own lens."""
    K, pose = np.array(frame["K"]), np.array(frame["cam_from_world"])
    y, x = np.nonzero(depth)
    pixels = np.stack([x, y], axis=-1).astype(float)
    coefficients = np.array(frame.get("distortion", [0.0, 0, 0, 0]))
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    if hasattr(cv2, "undistortPointsIter"):  # OpenCV 4
        at = cv2.undistortPointsIter(pixels[:, None], K, coefficients, None, None, criteria)[:, 0]
    else:
        at = cv2.undistortPoints(pixels[:, None], K, coefficients, criteria=criteria)[:, 0]
    z = depth[y, x]
    in_cam = np.stack([at[:, 0] * z, at[:, 1] * z, z], axis=-1)
    return (in_cam - pose[:3, 3]) @ pose[:3, :3]


@pytest.mark.parametrize("lens", [None, BARREL])
@pytest.mark.parametrize("options", [{}, {"undistorted": True}, {"resolution": "grid"}])
@pytest.mark.parametrize("kind", ["png", "npy", "exr"])
def test_points_of_the_files_lie_on_the_world_plane(
    tmp_path: Path, kind: str, options: dict[str, Any], lens: Lens | None
) -> None:
    if kind == "exr":
        pytest.importorskip("OpenEXR", reason="EXR is an extra (pip install pointloom[exr])")
    scene = plane_scene(lens, orientation=6)
    export_scene(scene, tmp_path / "out", {"depth": DepthFormat(kind, **options)})
    stated = json.loads((tmp_path / "out" / "depth.json").read_text())
    quantum = stated["scale"] if kind == "png" else 0.0
    assert (stated["resolution"], stated["upsampling"] is None) == (
        options.get("resolution", "photo"),
        "resolution" in options,
    )
    for frame in stated["frames"]:
        depth = stated["scale"] * read_depth(tmp_path / "out" / frame["depth"])
        assert depth.shape == (frame["height"], frame["width"])
        points = world_points(frame, depth)
        assert len(points) > 0.7 * depth.size
        # Half a level along the ray moves a point across the plane by less than that.
        np.testing.assert_allclose(points @ NORMAL, OFFSET, atol=0.5 * quantum * 1.5 + 3e-5)


def test_a_known_depth_is_never_the_zero_of_the_unknown(tmp_path: Path) -> None:
    scene = small_scene()
    scene.views[0].depth[:] = np.where(scene.views[0].depth > 1.5, 1e-6, 1e3)
    export_scene(scene, tmp_path / "out", {"depth": DepthFormat(resolution="grid", min_conf=2.0)})
    for view in scene.views:
        levels = read_depth(tmp_path / "out" / "depth" / f"{view.name}.png")
        np.testing.assert_array_equal(levels > 0, view.mask & (view.conf >= 2))


def test_finer_masks_bound_the_object(tmp_path: Path) -> None:
    scene = plane_scene()
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    mask = np.zeros((113, 150), np.uint8)
    mask[20:90, 31:101] = 255
    for view in scene.views:
        Image.fromarray(np.full((113, 150, 3), 90, np.uint8)).save(tmp_path / "photos" / view.name)
        Image.fromarray(mask).save(tmp_path / "photos" / f"{view.name}.png")
    export_scene(scene, tmp_path / "out", {"depth": DepthFormat()}, tmp_path / "photos")
    depth = read_depth(tmp_path / "out" / "depth" / "0.jpg.png")
    np.testing.assert_array_equal(depth > 0, mask > 0)


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pointloom\[exr\]'.* npy"):
        export_scene(plane_scene(), tmp_path / "out", {"depth": DepthFormat("exr")})


@pytest.mark.parametrize(("option", "value"), [("depth_file", "tiff"), ("resolution", "full")])
def test_unknown_choices_are_refused(option: str, value: str) -> None:
    with pytest.raises(UserError, match=f"{option}={value}.*Choose one of"):
        DepthFormat(**{option: value})
