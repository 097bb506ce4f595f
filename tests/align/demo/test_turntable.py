"""The demo's photos, masks, depths and cameras agree with each other."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from align.demo.march import first_hits
from align.demo.render import Rendering, Studio
from align.demo.shape import coffee_pot, surface_points
from align.demo.turntable import (
    TurntableOptions,
    build_studio,
    render_turntable,
    render_view,
    turntable_cameras,
)
from align.export.cameras_json import read_cameras
from masks.errors import OutputError

SMALL = TurntableOptions(size=(160, 120), noise=0.0)
TINY = TurntableOptions(num_views=2, size=(64, 48))


@cache
def studio() -> Studio:
    return build_studio(SMALL)


@cache
def view(k: int) -> Rendering:
    return render_view(studio(), SMALL, k)


def into_neighbour(a: int, b: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return object pixels (row, column) of a, and where they lie in b: positions (N, 2) and depths (N,)."""
    cameras = turntable_cameras(SMALL)
    ij = np.argwhere(np.isfinite(view(a).depth))
    x = (
        np.column_stack([ij[:, 1], ij[:, 0], np.ones(len(ij))])
        @ np.linalg.inv(cameras.K[a]).T
        * view(a).depth[ij[:, 0], ij[:, 1], None]
    )
    b_from_a = cameras.cam_from_world[b] @ cameras.world_from_cam[a]
    x = (x @ b_from_a[:3, :3].T + b_from_a[:3, 3]) @ cameras.K[b].T
    return ij, x[:, :2] / x[:, 2:], x[:, 2]


def test_depth_carried_into_the_neighbour_meets_the_same_surface() -> None:
    _, xy, depth = into_neighbour(0, 1)
    column, row = np.rint(xy).astype(int).T
    there = view(1).depth[row, column]
    assert (np.abs(there - depth) < 0.03).mean() > 0.75  # the rest has turned away


def test_depth_carried_into_the_neighbour_meets_the_same_colour() -> None:
    ij, xy, depth = into_neighbour(0, 1)
    column, row = np.rint(xy).astype(int).T
    same = np.abs(view(1).depth[row, column] - depth) < 0.02
    here = view(0).image[ij[same, 0], ij[same, 1]].astype(float)
    there = cv2.remap(view(1).image, xy[same, None, :].astype(np.float32), None, cv2.INTER_LINEAR)[
        :, 0
    ].astype(float)
    elsewhere = there[np.random.default_rng(0).permutation(len(there))]
    assert np.abs(here - there).mean() < 0.45 * np.abs(here - elsewhere).mean()
    assert np.corrcoef(here.ravel(), there.ravel())[0, 1] > 0.8


def test_a_mask_pixel_is_one_that_the_object_fills_by_half() -> None:
    camera, pose = studio().camera, turntable_cameras(SMALL).cam_from_world[3]
    n, left, top, w, h = 8, 60, 12, 40, 40
    x = left + (np.arange(n * w) + 0.5) / n - 0.5
    y = top + (np.arange(n * h) + 0.5) / n - 0.5
    x, y = (grid.ravel() for grid in np.meshgrid(x, y))
    rays = (
        np.stack(
            [(x - camera.K[0, 2]) / camera.K[0, 0], (y - camera.K[1, 2]) / camera.K[1, 1], np.ones_like(x)], 1
        )
        @ pose[:3, :3]
    )
    hit = np.isfinite(first_hits(studio().shape, -pose[:3, :3].T @ pose[:3, 3], rays))
    share = hit.reshape(h, n, w, n).mean(axis=(1, 3))
    mask = view(3).mask[top : top + h, left : left + w]
    clear = np.abs(share - 0.5) > 0.12  # 16 rays a pixel decide, 64 judge
    assert ((share > 0) & (share < 1) & clear).sum() > 40
    np.testing.assert_array_equal(mask[clear], share[clear] >= 0.5)


def test_the_room_stands_still_while_the_object_turns() -> None:
    moved = np.abs(view(0).image.astype(int) - view(1).image.astype(int)).max(axis=2) > 0
    assert not moved[:, :20].any()
    assert not moved[:15].any()
    assert moved.mean() < 0.5


def test_no_two_sides_look_alike() -> None:
    opposite = (view(0).mask ^ view(12).mask).mean()
    assert opposite > 0.03


def test_equal_seeds_give_equal_files_and_other_seeds_others(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        render_turntable(tmp_path / name, TurntableOptions(num_views=2, size=(64, 48), seed=seed))
    names = sorted(str(p.relative_to(tmp_path / "a")) for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert names == ["cameras.json", "images/000.png", "images/001.png", "masks/000.png", "masks/001.png"]
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names)
    assert (tmp_path / "a/images/000.png").read_bytes() != (tmp_path / "c/images/000.png").read_bytes()


def test_the_written_set_is_what_was_rendered(tmp_path: Path) -> None:
    told = []
    render_turntable(tmp_path, TINY, lambda stage, done, total: told.append((done, total)))
    assert told[-1] == (2, 2)
    rendered = render_view(build_studio(TINY), TINY, 1)
    image = cv2.imread(str(tmp_path / "images/001.png"))
    mask = cv2.imread(str(tmp_path / "masks/001.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(image[..., ::-1], rendered.image)
    np.testing.assert_array_equal(mask, np.where(rendered.mask, 255, 0))
    cameras, exact = read_cameras(tmp_path / "cameras.json"), turntable_cameras(TINY)
    assert [c.file for c in cameras] == ["000.png", "001.png"]
    for camera, K, pose in zip(cameras, exact.K, exact.cam_from_world, strict=True):
        np.testing.assert_array_equal(camera.K, K)
        np.testing.assert_array_equal(camera.cam_from_world, pose)


def test_a_folder_that_is_a_file_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="another place"):
        render_turntable(tmp_path / "taken", TINY)


@pytest.mark.slow
def test_neighbours_share_many_features_and_the_room_even_more() -> None:
    options = TurntableOptions()
    place = build_studio(options)
    shots = [render_view(place, options, k) for k in (0, 1)]
    assert _shared_features(shots, [shot.mask for shot in shots]) > 150
    assert _shared_features(shots, [~shot.mask for shot in shots]) > 1000


def _shared_features(shots: list[Rendering], where: list[np.ndarray]) -> int:
    sift = cv2.SIFT_create()
    a, b = (
        sift.detectAndCompute(shot.image, part.astype(np.uint8))[1]
        for shot, part in zip(shots, where, strict=True)
    )
    return sum(first.distance < 0.8 * second.distance for first, second in cv2.BFMatcher().knnMatch(a, b, 2))


def test_an_object_turned_over_lies_on_the_plate() -> None:
    for degrees in (180.0, 90.0):
        options = replace(SMALL, num_views=3, turned_over_deg=degrees)
        cameras = turntable_cameras(options)
        assert len(cameras.K) == options.num_photos == 6
        # The camera of the second turn is where it was, but for the way the object lies.
        room_from_object = np.linalg.inv(studio().camera.cam_from_room) @ cameras.cam_from_world[3:]
        height = surface_points(coffee_pot()) @ room_from_object[:, 2, :3].T + room_from_object[:, 2, 3]
        np.testing.assert_allclose(height.min(0), -1, atol=0.01)
        lying = render_view(studio(), options, 3)
        assert 0.5 < lying.mask.sum() / view(0).mask.sum() < 2
        # Its own cameras see the surface where the pot's is.
        row, column = np.argwhere(lying.mask & np.isfinite(lying.depth))[::97].T
        rays = np.stack([column, row, np.ones(len(row))], 1) @ np.linalg.inv(cameras.K[3]).T
        points = rays * lying.depth[row, column, None] - cameras.cam_from_world[3, :3, 3]
        off = coffee_pot().distance(points @ cameras.cam_from_world[3, :3, :3])
        assert np.abs(off).max() < 1e-3
