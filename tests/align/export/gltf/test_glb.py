"""GLB files hold the points, the cameras and their photos, where the viewer expects them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from align.export.gltf.frustum import (
    CAMERA_COLOURS,
    DrawnCameras,
    automatic_camera_size,
    frusta,
    scene_transform,
)
from align.export.gltf.glb import glb_scene, write_glb
from align.export.gltf.glb_points import read_glb
from align.export.gltf.pointmap_mesh import mesh_from_pointmap
from align.points import PointCloud
from masks.errors import FormatError, OutputError
from pairs.views.cameras import Cameras


def cameras(count: int) -> Cameras:
    poses = np.tile(np.eye(4), (count, 1, 1))
    if count:
        poses[:, :3, :3] = Rotation.random(count, random_state=0).as_matrix()
        poses[:, :3, 3] = np.random.default_rng(0).normal(size=(count, 3))
    return Cameras(np.tile(np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]]), (count, 1, 1)), poses)


def images(count: int) -> list[np.ndarray]:
    return [np.full((48, 64, 3), 20 * k, np.uint8) for k in range(count)]


def cloud(count: int = 30) -> PointCloud:
    rng = np.random.default_rng(1)
    return PointCloud(rng.normal(size=(count, 3)), rng.integers(0, 256, (count, 3)).astype(np.uint8))


def test_another_program_finds_all_points_and_cameras(tmp_path: Path) -> None:
    write_glb(tmp_path / "scene.glb", cloud(), cameras(13), images(13))
    scene = trimesh.load_scene(tmp_path / "scene.glb")
    assert len(scene.geometry["object"].vertices) == 30
    assert sum(name.startswith("camera_") for name in scene.geometry) == 13
    photos = [scene.geometry[f"photo_{k}"] for k in range(13)]
    assert [
        np.asarray(photo.visual.material.baseColorTexture.convert("RGB"))[0, 0, 0] for photo in photos
    ] == [20 * k for k in range(13)]


def test_points_come_back_in_world_coordinates(tmp_path: Path) -> None:
    write_glb(tmp_path / "scene.glb", cloud(), cameras(3), images(3))
    read = read_glb(tmp_path / "scene.glb")
    np.testing.assert_allclose(read.points, cloud().points, rtol=1e-6)
    np.testing.assert_array_equal(read.colours, cloud().colours)


def test_the_first_camera_is_at_the_origin_with_y_up() -> None:
    pose = cameras(1).world_from_cam[0]
    seen = scene_transform(pose) @ pose
    np.testing.assert_allclose(seen, np.diag([-1.0, -1, 1, 1]), atol=1e-12)


def test_equal_scenes_give_equal_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_glb(tmp_path / f"{name}.glb", cloud(), cameras(3), images(3))
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_points_that_are_not_finite_stay_out() -> None:
    points = cloud().points.copy()
    points[4], points[7, 1] = np.inf, np.nan
    scene = glb_scene(PointCloud(points, cloud().colours), DrawnCameras(cameras(2), ((64, 48),) * 2))
    assert len(scene.geometry["object"].vertices) == 28


def test_a_mesh_keeps_its_faces_and_colours(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mesh = mesh_from_pointmap(rng.uniform(size=(4, 5, 3)), rng.normal(size=(4, 5, 3)), np.ones((4, 5), bool))
    write_glb(tmp_path / "mesh.glb", mesh, cameras(1), images(1))
    read = trimesh.load_scene(tmp_path / "mesh.glb").geometry["object"]
    assert len(read.faces) == len(mesh.faces) == 4 * 3 * 4
    with pytest.raises(FormatError, match="no cloud"):
        read_glb(tmp_path / "mesh.glb")


def test_a_pyramid_has_its_apex_at_the_centre_and_the_photo_at_the_focal_depth() -> None:
    drawn = DrawnCameras(cameras(12), ((64, 48),) * 12, camera_size=0.2)
    for k, shape in enumerate(frusta(drawn)):
        in_cam = (
            shape.corners @ drawn.cameras.cam_from_world[k, :3, :3].T + drawn.cameras.cam_from_world[k, :3, 3]
        )
        np.testing.assert_allclose(in_cam[0], 0, atol=1e-12)
        np.testing.assert_allclose(in_cam[1:, 2], 60 * 0.2 / 48)
        projected = in_cam[1:] @ drawn.cameras.K[k].T
        np.testing.assert_allclose(
            projected[:, :2] / projected[:, 2:], [(0, 48), (64, 48), (64, 0), (0, 0)], atol=1e-9
        )
        np.testing.assert_array_equal(shape.colour, CAMERA_COLOURS[k % 11])


def test_the_automatic_size_is_the_usual_gap_between_cameras() -> None:
    ring = np.column_stack([np.arange(5.0) * 2, np.zeros(5), np.zeros(5)])
    assert automatic_camera_size(ring) == 2
    assert automatic_camera_size(np.zeros((3, 3))) == 1
    assert automatic_camera_size(np.zeros((1, 3))) == 1
    assert automatic_camera_size(np.zeros((0, 3))) == 1


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    write_glb(tmp_path / "scene.glb", cloud(), cameras(1), images(1))
    whole = (tmp_path / "scene.glb").read_bytes()
    for kept in (0, 10, 200, len(whole) // 2):
        (tmp_path / "cut.glb").write_bytes(whole[:kept])
        with pytest.raises(FormatError, match=r"cut\.glb"):
            read_glb(tmp_path / "cut.glb")
    with pytest.raises(FormatError, match=r"none\.glb"):
        read_glb(tmp_path / "none.glb")


def test_a_place_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="another place"):
        write_glb(tmp_path / "file" / "scene.glb", cloud(), cameras(1), images(1))


def rewritten(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change the document of a GLB."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[20 : 20 + length])
    change(document)
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(data) - 20 - length, len(text), 0x4E4F534A)
    path.write_bytes(head + text + data[20 + length :])
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["accessors"][0].update(count=10**9), "numbers outside of the file"),
        (lambda d: d["accessors"][0].pop("bufferView"), "'bufferView' is missing"),
        (lambda d: d["accessors"][0].update(sparse={}), "numbers outside of the file"),
        (lambda d: d["bufferViews"][0].update(byteLength=10**9), "numbers outside of the file"),
        (lambda d: d["images"][0].update(uri="/etc/hostname"), "no PNG inside the file"),
        (lambda d: d["images"][0].update(bufferView=0), "no PNG inside the file"),
        (lambda d: d["buffers"][0].update(uri="x.bin"), "parts outside of the file"),
        (lambda d: d.update(extensionsRequired=["KHR_draco_mesh_compression"]), "parts outside of the file"),
    ],
)
def test_what_a_file_of_ours_has_not_is_refused(tmp_path: Path, change, said: str) -> None:
    write_glb(tmp_path / "scene.glb", cloud(), cameras(1), images(1))
    assert len(read_glb(rewritten(tmp_path / "scene.glb", lambda document: None)).points) == 30
    with pytest.raises(FormatError, match=f"scene.glb: .*{said}"):
        read_glb(rewritten(tmp_path / "scene.glb", change))


def test_points_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    write_glb(tmp_path / "scene.glb", cloud(), cameras(1), images(1))
    data = bytearray((tmp_path / "scene.glb").read_bytes())
    at = data.index(cloud().points[0].astype("<f4").tobytes())
    data[at : at + 4] = struct.pack("<f", np.nan)
    (tmp_path / "scene.glb").write_bytes(data)
    with pytest.raises(FormatError, match="not finite"):
        read_glb(tmp_path / "scene.glb")
