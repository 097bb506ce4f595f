"""A scene on disk."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stored_scene import small_scene

from align.points import point_cloud
from align.scene import Scene, points_of_view
from align.scene_folder import load_scene, save_scene
from masks.errors import FormatError, OutputError
from masks.lens import Lens, distort, ideal_frame, pixels_of
from masks.pixelmap import intrinsics_to_target, to_target
from pairs.views.cameras import Cameras


def test_a_scene_comes_back_exactly(tmp_path: Path) -> None:
    scene = small_scene()
    save_scene(scene, tmp_path)
    again = load_scene(tmp_path)
    np.testing.assert_array_equal(again.cameras.K, scene.cameras.K)
    np.testing.assert_array_equal(again.cameras.cam_from_world, scene.cameras.cam_from_world)
    for ours, theirs in zip(again.views, scene.views):
        for name in ("depth", "conf", "image", "mask"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        assert (ours.name, ours.pixel_map) == (theirs.name, theirs.pixel_map)
    assert (again.inputs, again.edges, again.report) == (scene.inputs, scene.edges, scene.report)


def test_equal_scenes_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_scene(small_scene(), tmp_path / name)
    for file in ("scene.json", "views.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_cameras_at_the_photos_resolution() -> None:
    K = small_scene().at_original().K[0]
    np.testing.assert_allclose(K, [[20, 0, 11.5], [0, 20, 7.5], [0, 0, 1]])


def with_a_lens(scene: Scene) -> Scene:
    """Return the scene with pixel maps that undo a lens, of a focal that has grown by half since."""
    K = np.array([[15.0, 0, 11.5], [0, 15.0, 8.0], [0, 0, 1]])
    frame = ideal_frame(Lens("SIMPLE_RADIAL", (-0.1,)), K, (24, 17))
    views = []
    for view in scene.views:
        pixel_map = replace(view.pixel_map, crop=(1, 1, 24, 16), undistortion=frame)
        views.append(replace(view, pixel_map=pixel_map))
    at_ideal = K * np.array([[1.5, 1, 1], [1, 1.5, 1], [1, 1, 1]])
    at_ideal[:2, 2] += frame.offset
    K_grid = intrinsics_to_target(views[0].pixel_map, at_ideal)
    return replace(
        scene, views=tuple(views), cameras=replace(scene.cameras, K=np.tile(K_grid, (len(views), 1, 1)))
    )


def test_a_lens_comes_back_and_asks_for_a_newer_format(tmp_path: Path) -> None:
    scene = with_a_lens(small_scene())
    save_scene(scene, tmp_path)
    assert [view.pixel_map for view in load_scene(tmp_path).views] == [view.pixel_map for view in scene.views]
    assert json.loads((tmp_path / "scene.json").read_text())["format"] == 2
    save_scene(small_scene(), tmp_path)
    assert json.loads((tmp_path / "scene.json").read_text())["format"] == 1
    assert "undistortion" not in (tmp_path / "scene.json").read_text()


def test_the_photos_camera_shows_a_point_where_the_grid_does() -> None:
    scene = with_a_lens(small_scene())
    view, K_grid = scene.views[0], scene.cameras.K[0]
    K, lens = scene.at_original().K[0], scene.lenses[0]
    assert lens is not None
    ray = np.array([0.3, -0.2])
    in_photo = pixels_of(K, distort(lens, ray))
    np.testing.assert_allclose(to_target(view.pixel_map, in_photo), pixels_of(K_grid, ray), atol=1e-9)


def test_points_lie_on_their_pixels_rays() -> None:
    scene = small_scene()
    points = points_of_view(scene, 1)
    pose, K = scene.cameras.cam_from_world[1], scene.cameras.K[1]
    x, y, z = K @ (pose[:3, :3] @ points[5, 7] + pose[:3, 3])
    np.testing.assert_allclose([x / z, y / z, z], [7, 5, scene.views[1].depth[5, 7]], rtol=1e-5)


def test_the_cloud_holds_the_confident_object_alone() -> None:
    scene = small_scene()
    cloud = point_cloud(scene, 2.0)
    assert len(cloud.points) == sum(int((v.mask & (v.conf >= 2)).sum()) for v in scene.views)
    assert len(point_cloud(scene, 0.0).points) == sum(int((v.conf > 0).sum()) for v in scene.views)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    save_scene(small_scene(), tmp_path)
    document = json.loads((tmp_path / "scene.json").read_text())
    (tmp_path / "scene.json").write_text(json.dumps(document | {"format": 99}))
    with pytest.raises(FormatError, match=r"99 is newer.*Update"):
        load_scene(tmp_path)


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 1}'])
def test_a_damaged_scene_is_named(tmp_path: Path, damage: str) -> None:
    save_scene(small_scene(), tmp_path)
    (tmp_path / "scene.json").write_text(damage)
    with pytest.raises(FormatError, match="damaged"):
        load_scene(tmp_path)


def test_a_folder_without_a_scene_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no scene here"):
        load_scene(tmp_path)


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="another place"):
        save_scene(small_scene(), tmp_path / "file" / "scene")


def test_a_scene_never_holds_nan() -> None:
    scene = small_scene()
    poses = scene.cameras.cam_from_world.copy()
    poses[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        replace(scene, cameras=Cameras(scene.cameras.K, poses))
