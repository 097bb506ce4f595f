"""Other readers of glTF find cameras that see the world where the photos do, and the photos themselves."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation
from stored_scene import small_scene

from align.export.export_scene import export_scene
from align.export.gltf.blender import BlenderFormat
from align.scene import Scene
from masks.errors import UserError
from masks.lens import Lens, ideal_frame
from masks.pixelmap import PixelMap
from pairs.views.cameras import Cameras, project

pygltflib = pytest.importorskip("pygltflib", reason="comes with pip install pointloom[dev]")

FORMAT = BlenderFormat(min_conf=0.1)


def scene_with(K: np.ndarray, lens: Lens | None = None) -> Scene:
    """Return a scene of cameras that look every way, with K (3, 3) in pixels of its grids."""
    scene = small_scene()
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, :3, :3] = Rotation.random(3, random_state=1).as_matrix()
    poses[:, :3, 3] = np.random.default_rng(1).normal(size=(3, 3))
    K_photo = np.array([[20.0, 0, 11.5], [0, 20, 8], [0, 0, 1]])
    frame = None if lens is None else ideal_frame(lens, K_photo, (24, 17))
    w, h = (24, 17) if frame is None else frame.ideal_size
    view = replace(scene.views[0], pixel_map=PixelMap((24, 17), 1, (0, 0, w, h), (12, 8), undistortion=frame))
    views = tuple(replace(view, name=each.name) for each in scene.views)
    return replace(scene, views=views, cameras=Cameras(np.tile(K, (3, 1, 1)), poses))


MIDDLE = np.array([[10.0, 0, 5.5], [0, 11, 3.5], [0, 0, 1]])
ELSEWHERE = np.array([[10.0, 0, 4.1], [0, 9.5, 4.4], [0, 0, 1]])


def written(scene: Scene, folder: Path, photos: Path | tuple[()] = (), form: BlenderFormat = FORMAT) -> Path:
    export_scene(scene, folder / "x.glb", {"blender": form}, photos)
    return folder / "x.glb"


def world_matrices(gltf: pygltflib.GLTF2) -> list[np.ndarray]:
    """Return the transform (4, 4) of every node by the rules of the format."""
    own = []
    for node in gltf.nodes:
        matrix = np.eye(4) if node.matrix is None else np.array(node.matrix).reshape(4, 4).T
        own.append(matrix @ np.diag([*(node.scale or (1, 1, 1)), 1]))
    world: dict[int, np.ndarray] = {}

    def place(k: int, above: np.ndarray) -> None:
        world[k] = above @ own[k]
        for child in gltf.nodes[k].children or []:
            place(child, world[k])

    for root in gltf.scenes[gltf.scene].nodes:
        place(root, np.eye(4))
    return [world[k] for k in range(len(gltf.nodes))]


def numbers(gltf: pygltflib.GLTF2, accessor: int) -> np.ndarray:
    stated = gltf.accessors[accessor]
    view = gltf.bufferViews[stated.bufferView]
    kind = {5123: np.uint16, 5125: np.uint32, 5126: np.float32}[stated.componentType]
    columns = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[stated.type]
    data = gltf.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    return np.frombuffer(data, kind).reshape(-1, columns)


@pytest.mark.parametrize("lens", [None, Lens("RADIAL", (-0.2, 0.03))])
@pytest.mark.parametrize("K", [MIDDLE, ELSEWHERE])
def test_a_world_point_is_seen_through_the_camera_where_the_photo_has_it(
    tmp_path: Path, K: np.ndarray, lens: Lens | None
) -> None:
    scene = scene_with(K, lens)
    gltf = pygltflib.GLTF2().load(str(written(scene, tmp_path)))
    world_from = world_matrices(gltf)
    found = scene.at_ideal()
    points = np.random.default_rng(2).normal(size=(200, 3)) * 3
    wanted, in_cam = project(found, points)
    for v, view in enumerate(scene.views):
        (k,) = [k for k, node in enumerate(gltf.nodes) if node.name == view.name]
        node = gltf.nodes[k]
        lens_of = gltf.cameras[node.camera].perspective
        viewer_from_world = world_from[1]  # the object's points are in world coordinates
        in_camera = (np.linalg.inv(world_from[k]) @ viewer_from_world @ np.c_[points, np.ones(200)].T).T
        ahead = in_camera[:, 2] < -0.1
        np.testing.assert_array_equal(ahead, in_cam[v, :, 2] > 0.1)
        # The format's perspective: picture coordinates from -1 to 1, y up.
        y = in_camera[:, 1] / -in_camera[:, 2] / np.tan(lens_of.yfov / 2)
        x = in_camera[:, 0] / -in_camera[:, 2] / (np.tan(lens_of.yfov / 2) * lens_of.aspectRatio)
        # The plane fills the picture, so its texture coordinates are those of the picture.
        mesh = gltf.meshes[gltf.nodes[node.children[0]].mesh].primitives[0]
        uv = numbers(gltf, mesh.attributes.TEXCOORD_0).astype(float)
        low, high = uv[3], uv[1]  # upper left, lower right
        at = low + (high - low) * np.stack([(x + 1) / 2, (1 - y) / 2], axis=1)
        w, h = view.pixel_map.ideal_size
        # Texture coordinates are float32 of a share of the picture.
        np.testing.assert_allclose((at * (w, h) - 0.5)[ahead], wanted[v][ahead], rtol=1e-6, atol=1e-5)
        intrinsics = node.extras
        assert (intrinsics["fx"], intrinsics["cy"]) == (found.K[v, 0, 0], found.K[v, 1, 2])


def test_a_photo_with_its_principal_point_in_the_middle_is_seen_whole_and_to_the_last_digit(
    tmp_path: Path,
) -> None:
    scene = scene_with(MIDDLE)
    scene = replace(
        scene,
        views=tuple(
            replace(v, pixel_map=PixelMap((24, 16), 1, (0, 0, 24, 16), (12, 8))) for v in scene.views
        ),
    )
    gltf = pygltflib.GLTF2().load(str(written(scene, tmp_path)))
    uv = numbers(gltf, gltf.meshes[1].primitives[0].attributes.TEXCOORD_0)
    np.testing.assert_array_equal(uv, [(0, 1), (1, 1), (1, 0), (0, 0)])
    perspective = gltf.cameras[0].perspective
    focal = 8 / np.tan(perspective.yfov / 2)
    np.testing.assert_allclose(focal, scene.at_ideal().K[0, 1, 1], rtol=1e-9)
    np.testing.assert_allclose(12 / np.tan(perspective.yfov / 2) / 1.5, focal, rtol=1e-9)
    np.testing.assert_allclose(
        12 / (np.tan(perspective.yfov / 2) * perspective.aspectRatio), scene.at_ideal().K[0, 0, 0], rtol=1e-9
    )


def test_planes_fill_the_picture_at_the_stated_distance(tmp_path: Path) -> None:
    gltf = pygltflib.GLTF2().load(
        str(written(scene_with(ELSEWHERE), tmp_path, form=BlenderFormat(0.1, photo_distance=0.7)))
    )
    world_from = world_matrices(gltf)
    for k, node in enumerate(gltf.nodes):
        if node.camera is None:
            continue
        (child,) = node.children
        lens = gltf.cameras[node.camera].perspective
        position = gltf.meshes[gltf.nodes[child].mesh].primitives[0].attributes.POSITION
        corners = np.c_[numbers(gltf, position), np.ones(4)] @ world_from[child].T
        in_camera = corners @ np.linalg.inv(world_from[k]).T
        np.testing.assert_allclose(in_camera[:, 2], -0.7, rtol=1e-6)
        half_height = 0.7 * np.tan(lens.yfov / 2)
        np.testing.assert_allclose(np.abs(in_camera[:, 1]), half_height, rtol=1e-6)
        np.testing.assert_allclose(np.abs(in_camera[:, 0]), half_height * lens.aspectRatio, rtol=1e-6)
        assert lens.znear < 0.7 < lens.zfar


def test_another_program_finds_points_colours_and_photos(tmp_path: Path) -> None:
    scene = scene_with(MIDDLE)
    (tmp_path / "photos").mkdir()
    for k, view in enumerate(scene.views):
        Image.fromarray(np.full((17, 24, 3), 70 * k, np.uint8)).save(tmp_path / "photos" / view.name)
    path = written(scene, tmp_path, tmp_path / "photos")
    read = trimesh.load_scene(path)
    assert {view.name for view in scene.views} <= set(read.graph.nodes)
    kept = sum(int((view.mask & (view.conf >= 0.1)).sum()) for view in scene.views)
    assert len(read.geometry["object"].vertices) == kept
    gltf = pygltflib.GLTF2().load(str(path))
    for k in range(3):
        view = gltf.bufferViews[gltf.images[k].bufferView]
        jpeg = gltf.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
        assert abs(int(np.asarray(Image.open(io.BytesIO(jpeg)))[5, 5, 1]) - 70 * k) <= 2
    linear = numbers(gltf, gltf.meshes[0].primitives[0].attributes.COLOR_0)[:, :3] / 65535
    levels = 255 * np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    view = scene.views[0]
    np.testing.assert_allclose(levels[:5], view.image[view.mask & (view.conf >= 0.1)][:5], atol=0.3)


def test_the_document_obeys_the_schema_of_the_format(tmp_path: Path) -> None:
    pytest.importorskip("jsonschema", reason="comes with pip install pointloom[dev]")
    data = written(scene_with(ELSEWHERE), tmp_path).read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    trimesh.exchange.gltf.validate(json.loads(data[20 : 20 + length]))


def test_what_the_user_should_know_is_said(tmp_path: Path) -> None:
    notices = export_scene(scene_with(ELSEWHERE), tmp_path / "x.glb", {"blender": FORMAT})
    said = " ".join(notice.text for notice in notices)
    assert "at most 2" in said
    assert "`photos`" in said


def test_a_principal_point_beyond_the_photo_is_refused_by_name(tmp_path: Path) -> None:
    K = np.array([[10.0, 0, -3], [0, 10, 3.5], [0, 0, 1]])
    with pytest.raises(UserError, match=r"0\.jpg: its principal point .* another format"):
        written(scene_with(K), tmp_path)


@pytest.mark.parametrize(
    "options", [{"photo_distance": 0.0}, {"photo_distance": np.nan}, {"longest_photo": 0}]
)
def test_sizes_that_are_none_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        BlenderFormat(**options)
