"""Depth at the photo's resolution keeps planes, keeps steps, and puts them where the photo has its edge."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from plane_scene import PHOTO, plane_depth, plane_scene

from align.demo.turntable import TurntableOptions, build_studio, render_view, turntable_cameras
from align.export.depth.upsample import upsampled_depth
from align.export.pictures import upright_map
from masks.lens import Lens, ideal_from_photo
from masks.pixelmap import PixelMap, fit_longest, image_to_target

BARREL = Lens("OPENCV", (-0.15, 0.04, 0.002, -0.003))
K = np.array([[60.0, 0, 23], [0, 60, 17], [0, 0, 1]])
TIMES = 4
GRID_FROM_PHOTO = PixelMap((48 * TIMES, 36 * TIMES), 1, (0, 0, 48 * TIMES, 36 * TIMES), (48, 36))


@pytest.mark.parametrize("lens", [None, BARREL])
def test_a_plane_stays_one_at_every_pixel_of_the_photo(lens: Lens | None) -> None:
    scene = plane_scene(lens)
    view, K_grid, pose = scene.views[0], scene.cameras.K[0], scene.cameras.cam_from_world[0]
    photo = np.random.default_rng(0).integers(0, 256, (PHOTO[1], PHOTO[0], 3)).astype(np.uint8)
    depth = upsampled_depth(view.depth, K_grid, view.image, photo, upright_map(view))
    y, x = np.mgrid[0 : PHOTO[1], 0 : PHOTO[0]]
    at = np.stack([x, y], axis=-1).astype(float)
    frame = view.pixel_map.undistortion
    truth = plane_depth(pose, scene.at_ideal().K[0], at if frame is None else ideal_from_photo(frame, at))
    known = depth > 0
    assert known.mean() > 0.8
    np.testing.assert_allclose(depth[known], truth[known], rtol=1e-5)


def two_walls(edge: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the true depth of a photo with a near red wall left of column `edge` and a far grey one, the
    photo, and depth on the grid by its pixels' middles.
    """
    x = np.arange(48 * TIMES)
    left = np.broadcast_to(x < edge, (36 * TIMES, 48 * TIMES))
    truth = np.where(left, 2.0, 3.0)
    photo = np.where(left[..., None], (180, 60, 50), (90, 95, 90)).astype(np.int64)
    photo += np.random.default_rng(0).integers(-6, 7, photo.shape)
    middles = (np.arange(48) + 0.5) * TIMES - 0.5
    grid = np.broadcast_to(np.where(middles < edge, 2.0, 3.0), (36, 48)).astype(np.float32)
    return truth, photo.astype(np.uint8), grid


@pytest.mark.parametrize("edge", [80, 82, 83])
def test_a_step_stays_a_step_and_lies_at_the_edge_in_the_photo(edge: int) -> None:
    truth, photo, grid = two_walls(edge)
    depth = upsampled_depth(grid, K, image_to_target(GRID_FROM_PHOTO, photo), photo, GRID_FROM_PHOTO)
    assert set(np.unique(depth)) == {2.0, 3.0}
    assert (depth != truth).mean() < 0.002  # by nearness alone two columns of 192 would be wrong: 0.01


def test_no_more_than_half_a_grid_pixel_is_added_to_what_is_known() -> None:
    grid = np.zeros((36, 48), np.float32)
    grid[10:20, 10:30] = 2
    photo = np.full((36 * TIMES, 48 * TIMES, 3), 90, np.uint8)
    depth = upsampled_depth(grid, K, np.full((36, 48, 3), 90, np.uint8), photo, GRID_FROM_PHOTO)
    wanted = np.kron(grid, np.ones((TIMES, TIMES)))
    assert (depth[wanted == 0] == 0).all()
    # Corners are rounded off.
    assert (depth != wanted).sum() <= 4 * 3
    np.testing.assert_array_equal(np.unique(depth), [0, 2])


def test_a_grid_of_the_photos_own_pixels_comes_back() -> None:
    rng = np.random.default_rng(1)
    grid = rng.uniform(1, 3, (36, 48)).astype(np.float32) * (rng.random((36, 48)) < 0.7)
    picture = rng.integers(0, 256, (36, 48, 3)).astype(np.uint8)
    depth = upsampled_depth(grid, K, picture, picture, fit_longest((48, 36), 48))
    np.testing.assert_allclose(depth, grid, rtol=1e-6)


@pytest.mark.slow
def test_depth_of_a_real_shape_gains_no_points_between_surfaces() -> None:
    """The figures of docs/exports.md, "Depth maps"."""
    options, small = TurntableOptions(size=(640, 480)), TurntableOptions(size=(160, 120))
    fine, coarse = (render_view(build_studio(each), each, 5) for each in (options, small))
    grid = np.where(coarse.mask & np.isfinite(coarse.depth), coarse.depth, 0).astype(np.float32)
    grid_from_photo = fit_longest((640, 480), 160)
    K_grid = turntable_cameras(small).K[0]
    colours = image_to_target(grid_from_photo, fine.image)
    depth = upsampled_depth(grid, K_grid, colours, fine.image, grid_from_photo)
    known = (depth > 0) & np.isfinite(fine.depth)
    wrong = np.abs(depth / fine.depth - 1)[known]
    bilinear = np.abs(cv2.resize(grid, (640, 480)) / fine.depth - 1)[known]
    assert np.median(wrong) < np.median(bilinear)
    assert (wrong > 0.01).mean() < 0.15 * (bilinear > 0.01).mean()
