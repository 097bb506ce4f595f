"""COLMAP models of a scene, read by pycolmap: cameras, observations, photos and masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pycolmap
import pytest
from lens_scene import LENSES, POINTS, lens_scene, true_pixels, upright_K
from PIL import Image

from align.export.exchange.colmap_format import ColmapFormat
from align.export.export_scene import export_scene
from align.export.formats import exporters_named
from align.export.originals import PhotoSource
from align.scene import Scene
from masks.errors import ImageError, UserError


def exported(scene: Scene, tmp_path: Path, **options: object) -> tuple[pycolmap.Reconstruction, Path]:
    out = tmp_path / "out"
    export_scene(scene, out, exporters_named("colmap", options), tmp_path / "photos")
    return pycolmap.Reconstruction(out / "sparse" / "0"), out


def image_of(read: pycolmap.Reconstruction, name: str) -> Any:
    return next(image for image in read.images.values() if image.name == name)


def projected(read: pycolmap.Reconstruction, name: str, points: np.ndarray) -> np.ndarray:
    """Return what pycolmap's own camera model says, in pixels with centres at integers."""
    image = image_of(read, name)
    return np.array([image.project_point(xyz) for xyz in points]) - 0.5


@pytest.mark.parametrize("model", LENSES)
def test_the_other_program_projects_points_as_the_photo_shows_them(model: str, tmp_path: Path) -> None:
    lens = LENSES[model]
    scene = lens_scene(tmp_path / "photos", lens)
    read, _ = exported(scene, tmp_path)
    for k, view in enumerate(scene.views):
        # Points of the object, and a straight edge that runs from one corner of the photo to the other.
        edge = np.stack([np.linspace(-1.0, 1.0, 50), np.linspace(-0.8, 0.8, 50), np.zeros(50)], 1)
        for points in (POINTS, edge):
            np.testing.assert_allclose(
                projected(read, view.name, points), true_pixels(scene, lens, k, points), atol=1e-6
            )
    camera = read.cameras[image_of(read, scene.views[0].name).camera_id]
    assert camera.model.name == model
    assert (camera.width, camera.height) == (320, 240)
    np.testing.assert_allclose(camera.calibration_matrix()[:2, 2], upright_K(0)[:2, 2] + 0.5, atol=1e-6)
    np.testing.assert_allclose(camera.calibration_matrix()[0, 0], 300, atol=1e-6)


@pytest.mark.parametrize("undistorted", [False, True])
@pytest.mark.parametrize("model", ["PINHOLE", "OPENCV"])
def test_observations_are_where_the_written_pictures_show_the_points(
    model: str, undistorted: bool, tmp_path: Path
) -> None:
    scene = lens_scene(tmp_path / "photos", LENSES[model])
    read, _ = exported(scene, tmp_path, **({"undistorted": True} if undistorted else {}))
    assert len(read.points3D) == len(POINTS)
    assert all(point.track.length() == 4 for point in read.points3D.values())
    assert max(point.error for point in read.points3D.values()) < 1e-6
    for image in read.images.values():
        for seen in image.points2D:
            at = image.project_point(read.points3D[seen.point3D_id].xyz)
            np.testing.assert_allclose(seen.xy, at, atol=1e-6)
    if undistorted:
        assert {camera.model.name for camera in read.cameras.values()} == {"PINHOLE"}


def test_a_group_is_one_camera(tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", LENSES["RADIAL"])
    read, _ = exported(scene, tmp_path)
    assert [image_of(read, view.name).camera_id for view in scene.views] == [1, 1, 2, 2]
    assert len(read.cameras) == 2


def test_two_focals_keep_their_lens_in_a_model_that_has_both(tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", LENSES["SIMPLE_RADIAL"])
    scene.cameras.K[:2, 1, 1] *= 1.01
    read, _ = exported(scene, tmp_path)
    camera = read.cameras[1]
    assert camera.model.name == "OPENCV"
    np.testing.assert_allclose(camera.params[:2], [300, 303], rtol=1e-9)


@pytest.mark.parametrize("undistorted", [False, True])
def test_photos_are_upright_without_a_turn_and_masks_count_their_object(
    undistorted: bool, tmp_path: Path
) -> None:
    scene = lens_scene(tmp_path / "photos", LENSES["SIMPLE_RADIAL"])
    read, out = exported(scene, tmp_path, **({"undistorted": True} if undistorted else {}))
    for view in scene.views:
        with Image.open(out / "images" / view.name) as picture:
            assert picture.getexif().get(274, 1) == 1
            camera = read.cameras[image_of(read, view.name).camera_id]
            assert picture.size == (camera.width, camera.height)
            white = np.asarray(picture.convert("L")) > 125
        mask = cv2.imread(str(out / "masks" / f"{view.name}.png"), cv2.IMREAD_UNCHANGED) > 0
        assert mask.shape == white.shape
        # The scene's own mask is coarser than the photo: its rim is off by a pixel of the grid.
        assert np.mean(mask ^ white) < 0.01
        assert 0.9 < mask.sum() / white.sum() < 1.1
    same = (out / "images" / "b1.png").read_bytes() == (tmp_path / "photos" / "b1.png").read_bytes()
    assert same is not undistorted


def test_masks_of_the_photos_come_at_their_resolution(tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", None)
    (tmp_path / "masks").mkdir()
    for view in scene.views:
        w, h = view.pixel_map.upright_size
        mask = np.zeros((h, w), np.uint8)
        mask[81:159, 91:188] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"{view.name}.png")
    source = PhotoSource((tmp_path / "photos",), tmp_path / "masks")
    export_scene(scene, tmp_path / "out", "colmap", [source])
    found = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "out" / "masks").iterdir())]
    assert [int((mask > 0).sum()) for mask in found] == [78 * 97] * 4
    export_scene(scene, tmp_path / "bare", "colmap", [PhotoSource((tmp_path / "photos",), "none")])
    assert not (tmp_path / "bare" / "masks").exists()


def test_text_and_binary_say_the_same(tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", LENSES["OPENCV"], ("a0.jpg", "b1.png", "ü2.jpg", "d3.jpg"))
    read, _ = exported(scene, tmp_path)
    export_scene(scene, tmp_path / "text", {"colmap": ColmapFormat(text=True)}, tmp_path / "photos")
    text = pycolmap.Reconstruction(tmp_path / "text" / "sparse" / "0")
    assert (tmp_path / "text" / "sparse" / "0" / "cameras.txt").is_file()
    np.testing.assert_array_equal(text.cameras[1].params, read.cameras[1].params)
    assert [text.images[k + 1].name for k in range(4)] == [view.name for view in scene.views]
    np.testing.assert_array_equal(text.images[3].points2D[7].xy, read.images[3].points2D[7].xy)


def test_colours_are_those_of_the_object(tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", None)
    read, _ = exported(scene, tmp_path)
    colours = np.array([point.color for point in read.points3D.values()])
    assert (np.ptp(colours.astype(int), axis=1) == 0).all()
    assert colours.max() == 230


def test_without_photos_the_model_alone_is_written_and_turned_ones_are_asked_for(tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", LENSES["RADIAL"])
    with pytest.raises(ImageError, match=r"ü2.jpg, d3.jpg: turned by their EXIF.*`photos`"):
        export_scene(scene, tmp_path / "out", "colmap")
    with pytest.raises(ImageError, match="`undistorted` needs the photos"):
        export_scene(scene, tmp_path / "out", {"colmap": ColmapFormat(undistorted=True)})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda photos: (photos / "b1.png").unlink(), "does not hold b1.png"),
        (lambda photos: Image.new("RGB", (32, 24)).save(photos / "b1.png"), "is 32x24 pixels.*had 320x240"),
    ],
)
def test_other_photos_are_named(change: Any, told: str, tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", None)
    change(tmp_path / "photos")
    with pytest.raises(ImageError, match=told):
        export_scene(scene, tmp_path / "out", "colmap", tmp_path / "photos")


def test_names_with_spaces_are_refused_in_text(tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", None)
    with pytest.raises(UserError, match=r"first space: a 0.jpg"):
        export_scene(scene, tmp_path / "out", {"colmap": ColmapFormat(text=True)}, tmp_path / "photos")
