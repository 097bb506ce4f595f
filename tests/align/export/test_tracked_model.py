"""Tracks as a COLMAP model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from align.export.colmap import write_colmap
from align.export.colmap_reader import read_colmap
from align.export.tracked_model import FoundTracks, ModelOptions, at_photo_size, tracked_model
from masks.errors import FormatError, OutputError, ReconstructionError
from pairs.backends.vggt.images import SquareFrame
from pairs.views.cameras import Cameras, project

OPTIONS = ModelOptions(least_seen=5)


def small_scene() -> tuple[FoundTracks, Cameras]:
    """Return three cameras side by side and twelve points that all of them see; their positions are exact."""
    rng = np.random.default_rng(0)
    K = np.tile(np.array([[100.0, 0, 64], [0, 110.0, 64], [0, 0, 1]]), (3, 1, 1))
    K[1, 0, 0] = 120
    pose = np.tile(np.eye(4), (3, 1, 1))
    pose[:, 0, 3] = -0.3, 0.0, 0.3
    points = rng.uniform((-1, -1, 3), (1, 1, 5), (12, 3))
    cameras = Cameras(K, pose)
    return FoundTracks(points, project(cameras, points)[0], np.ones((3, 12), bool)), cameras


def test_exact_tracks_are_all_kept():
    tracks, cameras = small_scene()
    model = tracked_model(tracks, cameras, (128, 128), OPTIONS)
    assert model.track_lengths.tolist() == [3] * 12
    np.testing.assert_array_equal(model.params, [[105, 64, 64], [115, 64, 64], [105, 64, 64]])
    np.testing.assert_allclose(model.xy, tracks.xy.reshape(-1, 2))


def test_observations_that_are_hidden_far_off_or_alone_are_dropped():
    tracks, cameras = small_scene()
    visible, xy = tracks.visible.copy(), tracks.xy.copy()
    visible[1, 0] = False
    xy[2, 0] += 100  # point 0 is left with one observation
    xy[0, 3] += 100
    model = tracked_model(FoundTracks(tracks.points, xy, visible), cameras, (128, 128), OPTIONS)
    assert len(model.points) == 11
    assert model.track_lengths.tolist() == [3, 3, 2, *[3] * 8]


def test_points_at_the_end_of_the_world_have_no_observations():
    tracks, cameras = small_scene()
    points = tracks.points.copy()
    points[4] = (0, 0, 5000)
    moved = FoundTracks(points, project(cameras, points)[0], tracks.visible)
    assert tracked_model(moved, cameras, (128, 128), OPTIONS).track_lengths[4] == 0


def test_an_image_that_sees_too_little_is_named():
    tracks, cameras = small_scene()
    visible = tracks.visible.copy()
    visible[1, 2:] = False
    with pytest.raises(ReconstructionError, match="image 2 sees only 2 of the tracked points"):
        tracked_model(replace(tracks, visible=visible), cameras, (128, 128), OPTIONS)


def frames() -> list[SquareFrame]:
    return [
        SquareFrame(0, 16, 128, 112, (400, 300)),
        SquareFrame(16, 0, 112, 128, (300, 400)),
        SquareFrame(0, 0, 128, 128, (256, 256)),
    ]


def test_at_the_photos_size_cameras_and_observations_are_those_of_the_photos():
    tracks, cameras = small_scene()
    after = at_photo_size(tracked_model(tracks, cameras, (128, 128), OPTIONS), frames(), 128)
    np.testing.assert_allclose(after.params[0], [105 * 400 / 128, 200, 150])
    assert after.size.tolist() == [[400, 300], [300, 400], [256, 256]]
    np.testing.assert_allclose(after.xy[12], (tracks.xy[1, 0] - (16, 0)) * 400 / 128)


def test_a_shared_camera_scales_all_observations_like_the_first():
    tracks, cameras = small_scene()
    options = replace(OPTIONS, shared=True, most_error_px=30.0)
    after = at_photo_size(tracked_model(tracks, cameras, (128, 128), options), frames(), 128)
    assert after.camera_of_image.tolist() == [0, 0, 0]
    np.testing.assert_allclose(after.xy[-1], tracks.xy[2, 11] * 400 / 128)


@pytest.mark.parametrize("camera", ["PINHOLE", "SIMPLE_PINHOLE"])
@pytest.mark.parametrize("shared", [True, False])
def test_colmap_reads_what_was_written(tmp_path, camera, shared):
    pycolmap = pytest.importorskip("pycolmap")
    tracks, cameras = small_scene()
    visible = tracks.visible.copy()
    visible[2, 0] = False
    options = replace(OPTIONS, camera=camera, shared=shared, most_error_px=30.0)
    model = tracked_model(replace(tracks, visible=visible), cameras, (128, 128), options)
    write_colmap(model, ["a.jpg", "b.jpg", "c.jpg"], tmp_path / "sparse")
    read = pycolmap.Reconstruction(tmp_path / "sparse")
    assert [read.images[v + 1].name for v in range(3)] == ["a.jpg", "b.jpg", "c.jpg"]
    assert len(read.cameras) == (1 if shared else 3)
    np.testing.assert_allclose(read.images[3].cam_from_world().matrix(), cameras.cam_from_world[2, :3])
    np.testing.assert_allclose([read.points3D[p + 1].xyz for p in range(12)], model.points)
    np.testing.assert_allclose(read.cameras[1].params, model.params[0])
    seen_by = sorted((e.image_id, e.point2D_idx) for e in read.points3D[2].track.elements)
    assert seen_by == [(1, 1), (2, 1), (3, 0)]
    np.testing.assert_allclose(read.images[3].points2D[0].xy, tracks.xy[2, 1])


def test_a_model_comes_back_as_arrays(tmp_path):
    pytest.importorskip("pycolmap")
    tracks, cameras = small_scene()
    write_colmap(
        tracked_model(tracks, cameras, (128, 128), replace(OPTIONS, camera="PINHOLE")),
        ["a", "b", "c"],
        tmp_path,
    )
    found, points = read_colmap(tmp_path)
    np.testing.assert_allclose(found.K, cameras.K)
    np.testing.assert_allclose(found.cam_from_world, cameras.cam_from_world)
    np.testing.assert_allclose(points, tracks.points)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(FormatError, match="holds no COLMAP model"):
        read_colmap(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    pytest.importorskip("pycolmap")
    tracks, cameras = small_scene()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_colmap(
            tracked_model(tracks, cameras, (128, 128), OPTIONS), ["a", "b", "c"], tmp_path / "file" / "sparse"
        )


def test_projection_keeps_points_behind_a_camera():
    cameras = small_scene()[1]
    pixels, in_camera = project(cameras, np.array([[0.0, 0, -2]]))
    assert (in_camera[..., 2] < 0).all()
    assert np.isfinite(pixels).all()
