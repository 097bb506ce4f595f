"""Tracked points lie where the cameras and the pixels say, and only what several views show is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_predictions import ENTRIES, predictions
from stored_scene import small_scene

from align.global_alignment import align_predictions
from align.measurements.gathered import PairRecord
from align.presets import PRESETS
from align.scene import TrackedPoints
from align.scene_folder import load_scene, save_scene
from align.tracks import tracked_points
from masks.errors import FormatError
from pairs.prediction.tracks import Tracks
from pairs.views.cameras import Cameras, project

POINTS = np.random.default_rng(0).uniform((-0.8, -0.5, -0.3), (0.8, 0.5, 0.3), (40, 3))


def cameras() -> Cameras:
    K = np.tile(np.array([[50.0, 0, 24], [0, 50.0, 16], [0, 0, 1]]), (5, 1, 1))
    poses = np.tile(np.eye(4), (5, 1, 1))
    for k, angle in enumerate(np.radians([-20, -10, 0, 10, 20])):
        poses[k, :3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
        poses[k, 2, 3] = 4
    return Cameras(K, poses)


def exact_tracks() -> Tracks:
    """Return tracks of all points through views 4 to 0, in this order of names."""
    xy = project(cameras(), POINTS)[0][::-1]
    names = tuple(f"{k}.jpg" for k in range(4, -1, -1))
    view, point = np.repeat(np.arange(5), 40), np.tile(np.arange(40), 5)
    return Tracks(names, view, point, xy.reshape(-1, 2).copy())


def found(tracks: Tracks) -> TrackedPoints | None:
    return tracked_points(replace(predictions(), tracks=tracks), (), cameras())


def test_exact_tracks_give_the_points_whatever_the_order_of_the_views() -> None:
    seen = found(exact_tracks())
    assert seen is not None
    np.testing.assert_allclose(seen.points, POINTS, atol=1e-10)
    assert np.bincount(seen.view).tolist() == [40] * 5
    np.testing.assert_allclose(seen.xy.reshape(5, 40, 2), project(cameras(), POINTS)[0])


def test_an_observation_that_contradicts_the_others_is_left_out() -> None:
    tracks = exact_tracks()
    tracks.xy[7] += (6.0, 0.0)
    seen = found(tracks)
    assert seen is not None
    np.testing.assert_allclose(seen.points, POINTS, atol=1e-10)
    assert (seen.view[seen.point == 7]).tolist() == [0, 1, 2, 3]


def test_what_one_view_shows_or_nearly_parallel_rays_show_is_no_point() -> None:
    tracks = exact_tracks()
    alone = tracks.view == 2
    assert found(Tracks(tracks.names, tracks.view[alone], tracks.point[alone], tracks.xy[alone])) is None
    still = cameras()
    still.cam_from_world[:] = still.cam_from_world[2]
    still.cam_from_world[:, 0, 3] += np.arange(5) * 1e-3
    xy = project(still, POINTS)[0][::-1].reshape(-1, 2)
    parallel = replace(predictions(), tracks=Tracks(tracks.names, tracks.view, tracks.point, xy))
    assert tracked_points(parallel, (), still) is None


def test_matches_from_one_pixel_are_one_track() -> None:
    xy = np.rint(project(cameras(), POINTS)[0])  # whole pixels in every view, half a pixel off at most
    xy[2:] = project(cameras(), POINTS)[0][2:]

    def record(a: int, b: int) -> PairRecord:
        conf = torch.ones(len(POINTS), dtype=torch.float64)
        return PairRecord(a, b, torch.from_numpy(xy[a]), torch.from_numpy(xy[b]), conf, None, None)

    seen = tracked_points(predictions(), [record(0, 2), record(3, 0), record(0, 4)], cameras())
    assert seen is not None
    assert len(seen.points) == len(np.unique(xy[0], axis=0))
    assert set(seen.view.tolist()) == {0, 2, 3, 4}
    assert np.bincount(seen.point).max() == 4


def test_an_aligned_scene_has_tracks_that_its_own_cameras_explain() -> None:
    scene = align_predictions(predictions(), PRESETS["pointloom"])
    assert scene.tracks is not None
    assert len(scene.tracks.points) > 200
    projected = project(scene.cameras, scene.tracks.points)[0][scene.tracks.view, scene.tracks.point]
    assert np.abs(projected - scene.tracks.xy).max() < 0.01


def test_tracks_come_back_exactly_and_older_scenes_have_none(tmp_path: Path) -> None:
    scene = small_scene()
    save_scene(scene, tmp_path / "old")
    assert load_scene(tmp_path / "old").tracks is None
    tracks = align_predictions(predictions(dict(list(ENTRIES.items())[:3])), PRESETS["pointloom"]).tracks
    assert tracks is not None
    save_scene(replace(scene, tracks=tracks), tmp_path / "new")
    again = load_scene(tmp_path / "new").tracks
    assert again is not None
    for name in ("points", "view", "point", "xy"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tracks, name))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({"view": np.array([0, 3], np.int32)}, "are not there"),
        ({"point": np.array([0, 1], np.int32)}, "are not there"),
        ({"view": np.array([1, 0], np.int32)}, "not in order"),
        ({"points": np.array([[0.0, 0, np.nan]])}, "no finite"),
        ({"points": np.zeros((2, 3))}, "fewer than two"),
        ({"xy": np.zeros((3, 2))}, r"xy \(O, 2\)"),
    ],
)
def test_tracks_that_cannot_be_are_refused(tmp_path: Path, damage: dict[str, np.ndarray], told: str) -> None:
    parts = {
        "points": np.ones((1, 3)),
        "view": np.array([0, 1], np.int32),
        "point": np.zeros(2, np.int32),
        "xy": np.zeros((2, 2)),
    }
    scene = small_scene()
    good = TrackedPoints(**parts)
    save_scene(replace(scene, tracks=good), tmp_path)
    for name, array in damage.items():
        object.__setattr__(good, name, array)
    save_scene(replace(scene, tracks=good), tmp_path)
    with pytest.raises(FormatError, match=told):
        load_scene(tmp_path)
