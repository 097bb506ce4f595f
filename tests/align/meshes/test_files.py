"""Files of a mesh hold the closed mesh, its texture the right way up, and the way back to the scene."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pygltflib
import pytest
import trimesh
from painted_sphere import paint, shots, sphere_mesh

from align.meshes.files import write_mesh
from align.meshes.mesh import ObjectMesh, TexturedMesh
from align.meshes.mesh_errors import mesh_errors, read_mesh
from align.meshes.surface import volume
from align.meshes.texture.bake import baked
from align.meshes.texture.unwrap import unwrapped
from masks.errors import FormatError, UserError


@cache
def textured() -> TexturedMesh:
    return baked(sphere_mesh(), unwrapped(sphere_mesh(), 128), 128, shots())


def joined(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Return a mesh with vertices of one place made one."""
    places, number = np.unique(np.asarray(mesh.vertices), axis=0, return_inverse=True)
    return trimesh.Trimesh(places, number.reshape(-1)[mesh.faces], process=False)


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".stl", ".ply"])
def test_every_format_holds_the_closed_mesh(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"an object{suffix}"
    for content in (textured(), sphere_mesh()):
        written = write_mesh(path, content)
        assert all(each.exists() for each in written)
        read = trimesh.load(path, force="mesh", process=False)
        closed = joined(read)
        assert len(closed.faces) == len(sphere_mesh().faces)
        assert closed.is_watertight
        assert closed.is_winding_consistent
        expected = volume(sphere_mesh().vertices, sphere_mesh().faces)
        assert closed.volume == pytest.approx(expected, rel=1e-5)
        first = path.read_bytes()
        write_mesh(path, content)
        assert path.read_bytes() == first


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_the_texture_is_the_right_way_up(suffix: str, tmp_path: Path) -> None:
    """By readers that are not ours: what lies on a face is its paint."""
    write_mesh(tmp_path / f"a{suffix}", textured())
    read = trimesh.load(tmp_path / f"a{suffix}", force="mesh", process=False)
    material = read.visual.material
    picture = np.asarray(material.baseColorTexture if suffix == ".glb" else material.image)[..., :3]
    size = len(picture)
    middle = read.visual.uv[read.faces].mean(1)
    # trimesh counts from the lower edge.
    x, y = (middle * size - 0.5).T
    column, row = np.rint(x).astype(int), np.rint(size - 1 - y).astype(int)
    points = np.asarray(read.vertices)[read.faces].mean(1)
    level = np.abs(points[:, 2]) < 0.5
    off = np.abs(picture[row, column] - paint(points / np.linalg.norm(points, axis=1, keepdims=True)))
    assert np.median(off[level]) < 4


def test_vertices_of_a_ply_have_the_colours_of_the_texture(tmp_path: Path) -> None:
    write_mesh(tmp_path / "a.ply", textured())
    read = trimesh.load(tmp_path / "a.ply", process=False)
    level = np.abs(read.vertices[:, 2]) < 0.5
    assert (
        np.median(np.abs(read.visual.vertex_colors[level, :3] - paint(np.asarray(read.vertices)[level]))) < 4
    )


def test_z_points_up_and_becomes_y_where_readers_expect_so(tmp_path: Path) -> None:
    tall = ObjectMesh(sphere_mesh().vertices * [1, 1, 3], sphere_mesh().faces)
    for suffix, axis in ((".glb", 1), (".obj", 1), (".stl", 2), (".ply", 2)):
        write_mesh(tmp_path / f"a{suffix}", tall, upright=True)
        assert np.argmax(trimesh.load(tmp_path / f"a{suffix}", force="mesh").extents) == axis


def test_a_viewer_finds_one_node_with_a_lossless_texture(tmp_path: Path) -> None:
    write_mesh(tmp_path / "a.glb", textured())
    read = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    assert [node.name for node in read.nodes] == ["object"]
    assert read.images[0].mimeType == "image/png"
    view = read.bufferViews[read.images[0].bufferView]
    start = view.byteOffset or 0
    data = np.frombuffer(read.binary_blob()[start : start + view.byteLength], np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], textured().texture)


def test_a_glb_knows_the_way_back_to_its_scene(tmp_path: Path) -> None:
    scene_from_mesh = np.array([[0, -2.0, 0, 1], [2, 0, 0, 2], [0, 0, 2, 3], [0, 0, 0, 1]])
    write_mesh(tmp_path / "a.glb", sphere_mesh(), upright=True, scene_from_mesh=scene_from_mesh)
    mesh, back = read_mesh(tmp_path / "a.glb")
    found = mesh.vertices @ back[:3, :3].T + back[:3, 3]
    expected = sphere_mesh().vertices @ scene_from_mesh[:3, :3].T + scene_from_mesh[:3, 3]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_unknown_format_and_a_damaged_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.glb, \.obj, \.stl, \.ply"):
        write_mesh(tmp_path / "a.usdz", sphere_mesh())
    for name in ("a.glb", "a.ply", "a.obj", "a.stl"):
        (tmp_path / name).write_bytes(b"not a mesh")
        with pytest.raises(FormatError, match=name):
            read_mesh(tmp_path / name)


def test_errors_of_a_mesh_are_its_distances_after_the_best_fit() -> None:
    """A shift and a scale are the cameras' error, a dent is the mesh's."""
    truth = ObjectMesh(sphere_mesh(4).vertices * [1, 1.3, 0.8], sphere_mesh(4).faces)
    moved = np.diag([1.02, 1.02, 1.02, 1.0])
    moved[:3, 3] = [0.02, -0.01, 0.03]
    same = mesh_errors(truth, truth, moved)
    assert same.accuracy_95 < 1e-3
    assert same.f_score > 0.999
    top = truth.vertices[:, 2:] > 0.6
    dented = ObjectMesh(truth.vertices - top * [0, 0, 0.2], truth.faces)
    found = mesh_errors(dented, truth, moved)
    assert found.accuracy_median < 0.01
    assert 0.1 < found.accuracy_95 < 0.3
    assert 0.6 < found.recall < 0.95
