"""Views and scene once the lenses are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from local_work import working
from PIL import Image
from rolled_views import FOCAL, SIZE, rolled_scene

from masks.lens import Lens
from masks.notice import Level
from masks.pixelmap import image_to_target, to_target
from masks.progress import silent
from pairs.backends.classical.ideal_views import ideal_views
from pairs.backends.classical.sfm.mapper import MapperModel, seen_at
from pairs.backends.classical.sfm.solve import SceneSolve, solve_from_arrays, solve_to_arrays
from pairs.prediction.store import PredictionStore
from pairs.views.cameras import project
from pairs.views.load import load_views
from pairs.views.view import View, grid_mask

BARREL = Lens("SIMPLE_RADIAL", (-0.2,))
LENSES = (BARREL, None, BARREL)


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> tuple[View, ...]:
    """Four photos with masks."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(3)
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[60:400, 100:500] = 255
    for k in range(4):
        small = random.integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(small).resize(SIZE).save(folder / f"{k}.png")
        Image.fromarray(mask).save(folder / f"{k}_mask.png")
    return load_views([folder / f"{k}.png" for k in range(4)])[0]


def solve_of(lenses: tuple[Lens | None, ...] = LENSES) -> tuple[SceneSolve, MapperModel]:
    """Return a solve of the views 0, 1 and 3, its observations exact."""
    model, _ = rolled_scene((FOCAL,) * 3, lenses)
    xy = np.concatenate([seen_at(model, k, model.points)[0] for k in range(3)])
    solve = SceneSolve(
        (0, 1, 3), model.cameras, model.points, model.observed_point, model.observed_by, xy, (), lenses
    )
    return solve, model


def made(views: tuple[View, ...], solve: SceneSolve, folder: Path, processes: int = 1):
    with working(PredictionStore(folder), silent, processes) as work:
        return ideal_views(views, solve, work)


def test_a_solve_keeps_its_lenses_in_the_store() -> None:
    solve, _ = solve_of()
    assert solve_from_arrays(solve_to_arrays(solve)).lenses == LENSES
    assert solve_from_arrays(solve_to_arrays(replace(solve, lenses=()))).lenses == ()


def test_behind_it_all_cameras_are_pinholes(views: tuple[View, ...], tmp_path: Path) -> None:
    solve, _ = solve_of()
    ideal, scene, notices = made(views, solve, tmp_path)
    assert not scene.lenses
    assert notices == ()
    at, _ = project(scene.cameras, scene.points)
    np.testing.assert_allclose(at[scene.observed_by, scene.observed_point], scene.observed_xy, atol=1e-6)
    # Where a photo shows a scene point is where the file's map puts it on the grid.
    for position, k in ((0, 0), (2, 3)):
        mine = scene.observed_by == position
        np.testing.assert_allclose(
            to_target(ideal[k].pixel_map, solve.observed_xy[mine]),
            to_target(ideal[k].grid_from_photo, scene.observed_xy[mine]),
            atol=1e-6,
        )


def test_photos_and_masks_come_on_grids_of_the_undistorted_photo(
    views: tuple[View, ...], tmp_path: Path
) -> None:
    solve, _ = solve_of()
    ideal, scene, _ = made(views, solve, tmp_path)
    assert ideal[1] is views[1]  # a pinhole
    assert ideal[2] is views[2]  # not placed
    for k in (0, 3):
        view = ideal[k]
        assert view.photo_size[0] > SIZE[0]
        assert view.grid_key != views[k].grid_key
        photo = np.asarray(Image.open(views[k].path))
        np.testing.assert_array_equal(view.image, image_to_target(view.pixel_map, photo))
        assert 0 < grid_mask(view).mean() < grid_mask(views[k]).mean()
    # Views of one camera keep one K.
    np.testing.assert_array_equal(scene.cameras.K[0], scene.cameras.K[2])


def test_workers_change_nothing(views: tuple[View, ...], tmp_path: Path) -> None:
    solve, _ = solve_of()
    alone, _, _ = made(views, solve, tmp_path / "1")
    together, _, _ = made(views, solve, tmp_path / "2", processes=2)
    for a, b in zip(alone, together):
        assert (a.grid_key, a.photo_key) == (b.grid_key, b.photo_key)
        np.testing.assert_array_equal(a.image, b.image)


def test_without_lenses_all_stays(views: tuple[View, ...], tmp_path: Path) -> None:
    solve, _ = solve_of((None,) * 3)
    ideal, scene, notices = made(views, solve, tmp_path)
    assert ideal == views
    assert scene is solve
    assert notices == ()


def test_what_the_undistorted_picture_cannot_hold_is_said(views: tuple[View, ...], tmp_path: Path) -> None:
    # The rim lies half a width beyond the photo's: the frame ends at 1.25 times its sides.
    solve, _ = solve_of((Lens("SIMPLE_RADIAL", (-0.6,)), None, None))
    whole = tuple(replace(view, mask=None) for view in views)
    _, _, (notice,) = made(whole, solve, tmp_path)
    assert notice.level is Level.WARNING
    assert "0.png: " in notice.text
