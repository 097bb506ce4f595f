"""The folder for trainers of splats, read by the rules of each of them; and OpenMVS's layout."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
import pytest
import trimesh
from lens_scene import LENSES, POINTS, lens_scene
from PIL import Image

from align.export.export_scene import export_scene
from align.export.formats import exporters_named
from masks.errors import UserError

SURE = {"min_conf": 0.1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("splats")
    scene = lens_scene(root / "photos", LENSES["RADIAL"])
    export_scene(scene, root / "out", exporters_named("splats", SURE), root / "photos")
    return root / "out"


@pytest.mark.parametrize("part", ["", "rgba"])
def test_models_are_pinholes_whose_pictures_are_there(folder: Path, part: str) -> None:
    read = pycolmap.Reconstruction(folder / part / "sparse" / "0")
    assert {camera.model.name for camera in read.cameras.values()} == {"PINHOLE"}
    names = sorted(image.name for image in read.images.values())
    # Loaders pair sorted names of the model with sorted files: no other file may be among them.
    assert names == sorted(path.name for path in (folder / part / "images").iterdir())
    for image in read.images.values():
        camera = read.cameras[image.camera_id]
        with Image.open(folder / part / "images" / image.name) as picture:
            assert picture.size == (camera.width, camera.height)
            assert picture.mode == ("RGBA" if part else "RGB")


def test_cut_outs_are_transparent_where_the_masks_are_black(folder: Path) -> None:
    for path in sorted((folder / "images").iterdir()):
        mask = np.asarray(Image.open(folder / "masks" / f"{path.name}.png")) > 0
        name = path.name if path.suffix == ".png" else f"{path.name}.png"
        cut_out = np.asarray(Image.open(folder / "rgba" / "images" / name))
        np.testing.assert_array_equal(cut_out[..., 3] > 0, mask)
        assert 0 < mask.mean() < 0.5
        assert cut_out[mask][:, 0].mean() > 200


def test_points_are_the_tracked_ones_and_those_of_the_depth_maps(folder: Path) -> None:
    read = pycolmap.Reconstruction(folder / "sparse" / "0")
    tracked = [point for point in read.points3D.values() if point.track.length()]
    assert len(tracked) == len(POINTS)
    vertices = trimesh.load(folder / "sparse" / "0" / "points3D.ply").vertices
    assert len(vertices) == len(read.points3D)
    points = [read.points3D[key].xyz for key in sorted(read.points3D)]
    np.testing.assert_allclose(vertices, points, atol=1e-6)
    head = (folder / "sparse" / "0" / "points3D.ply").read_bytes()[:400]
    assert all(f"property float n{axis}\n".encode() in head for axis in "xyz")


def test_the_other_document_says_the_same_cameras(folder: Path) -> None:
    read = pycolmap.Reconstruction(folder / "sparse" / "0")
    document = json.loads((folder / "transforms.json").read_text())
    assert (folder / document["ply_file_path"]).is_file()
    by_name = {image.name: image for image in read.images.values()}
    for frame in document["frames"]:
        image = by_name[frame["file_path"].removeprefix("images/")]
        camera_from_world = np.diag([1, -1, -1, 1]) @ np.linalg.inv(np.array(frame["transform_matrix"]))
        np.testing.assert_allclose(camera_from_world[:3], image.cam_from_world().matrix(), atol=1e-9)
        camera = read.cameras[image.camera_id]
        stated = [frame[key] for key in ("fl_x", "fl_y", "cx", "cy")]
        np.testing.assert_allclose(camera.params, stated, rtol=1e-12)
        assert (folder / frame["mask_path"]).is_file()


def test_openmvs_gets_its_layout_and_refuses_a_scene_without_tracks(tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", LENSES["RADIAL"])
    export_scene(scene, tmp_path / "out", "openmvs", tmp_path / "photos")
    read = pycolmap.Reconstruction(tmp_path / "out" / "sparse")
    assert {camera.model.name for camera in read.cameras.values()} == {"PINHOLE"}
    assert min(point.track.length() for point in read.points3D.values()) == 4
    assert sum(path.name.endswith(".mask.png") for path in (tmp_path / "out" / "images").iterdir()) == 4
    with pytest.raises(UserError, match="this scene has none"):
        export_scene(replace(scene, tracks=None), tmp_path / "other", "openmvs", tmp_path / "photos")


def test_several_formats_share_what_is_the_same(tmp_path: Path) -> None:
    scene = lens_scene(tmp_path / "photos", LENSES["RADIAL"])
    export_scene(scene, tmp_path / "out", exporters_named("colmap,nerfstudio", SURE), tmp_path / "photos")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "images",
        "masks",
        "points3D.ply",
        "sparse",
        "transforms.json",
    }
