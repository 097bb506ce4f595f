"""From photos and masks to cameras and scene points, on rendered photos of a textured roof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import networkx
import numpy as np
import pytest
from local_work import working
from scipy.ndimage import gaussian_filter
from textured_roof import ANGLES, SIZE, K, before_backdrop, render, saved, turned

from masks.errors import MaskError, ReconstructionError
from masks.notice import Level
from masks.pixelmap import PixelMap, identity, image_to_target
from masks.progress import Progress, silent
from pairs.backends.classical import solve_scene as solving
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.prediction.store import PredictionStore
from pairs.views.photos import load_photo
from pairs.views.view import View

pytest.importorskip("pycolmap", reason="the scene solve needs pycolmap")

USUAL = SolveOptions()


def solve_scene(
    views: Sequence[View],
    graph: networkx.Graph | None,
    store: PredictionStore,
    progress: Progress,
    options: SolveOptions,
    processes: int = 1,
) -> SceneSolve:
    with working(store, progress, processes) as work:
        return solving.solve_scene(views, graph, work, options)


def largest_turn_error_deg(solve: SceneSolve, angles: Sequence[float]) -> float:
    R = solve.cameras.cam_from_world[:, :3, :3]
    true = np.stack([turned(angles[view])[:3, :3] for view in solve.placed])
    off = (R @ R[0].T) @ (true @ true[0].T).transpose(0, 2, 1)
    return float(np.rad2deg(np.arccos(np.clip((np.trace(off, axis1=1, axis2=2) - 1) / 2, -1, 1))).max())


def same(first: SceneSolve, second: SceneSolve) -> bool:
    arrays = [
        (s.cameras.K, s.cameras.cam_from_world, s.points, s.observed_point, s.observed_by, s.observed_xy)
        for s in (first, second)
    ]
    return (
        first.placed == second.placed
        and first.notices == second.notices
        and all(np.array_equal(a, b) for a, b in zip(*arrays))
    )


def test_masked_photos_give_cameras_points_and_a_checked_scene(tmp_path: Path) -> None:
    views = saved(tmp_path / "photos", *before_backdrop(0))
    solve = solve_scene(views, None, PredictionStore(tmp_path / "store"), silent, USUAL)
    assert solve.placed == (0, 1, 2, 3, 4)
    assert largest_turn_error_deg(solve, ANGLES) < 0.5
    assert solve.cameras.K[0, 0, 0] == pytest.approx(500, rel=0.05)
    assert any("checked against the silhouettes" in notice.text for notice in solve.notices)
    assert np.bincount(solve.observed_point).min() >= 2


def test_background_pixels_never_move_a_pose(tmp_path: Path) -> None:
    first, second = (
        solve_scene(
            saved(tmp_path / f"photos {seed}", *before_backdrop(seed)),
            None,
            PredictionStore(tmp_path / f"{seed}"),
            silent,
            USUAL,
        )
        for seed in (1, 2)
    )
    assert same(first, second)


def test_the_result_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    views = saved(tmp_path / "photos", *before_backdrop(0))
    first, second = (
        solve_scene(views, None, PredictionStore(tmp_path / str(workers)), silent, USUAL, workers)
        for workers in (1, 2)
    )
    assert same(first, second)


def test_a_killed_run_resumes_without_repeating_what_was_finished(tmp_path: Path) -> None:
    views = saved(tmp_path / "photos", *before_backdrop(0))
    store = PredictionStore(tmp_path / "store")
    whole = solve_scene(views, None, store, silent, USUAL)
    for entry in (store.folder / "scene_solve").iterdir():
        entry.unlink()
    lost, truncated = sorted((store.folder / "feature_matches").iterdir())[:2]
    lost.unlink()
    truncated.write_bytes(truncated.read_bytes()[:50])
    written = {
        path: path.stat().st_mtime_ns for path in store.folder.rglob("*.safetensors") if path != truncated
    }
    stages: dict[str, int] = {}
    resumed = solve_scene(
        views, None, store, lambda stage, done, total: stages.setdefault(stage, done), USUAL
    )
    assert same(whole, resumed)
    assert "features" not in stages
    assert stages["matching"] == 8
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert lost.exists()
    assert same(whole, solve_scene(views, None, store, silent, USUAL))


def test_photos_without_masks_are_solved_and_called_not_checked(tmp_path: Path) -> None:
    photos = [render(angle)[0] for angle in ANGLES]
    solve = solve_scene(
        saved(tmp_path / "photos", photos, None), None, PredictionStore(tmp_path / "store"), silent, USUAL
    )
    assert solve.placed == (0, 1, 2, 3, 4)
    assert largest_turn_error_deg(solve, ANGLES) < 0.5
    assert any("not checked" in notice.text for notice in solve.notices if notice.level is Level.WARNING)


def test_a_fixed_backdrop_is_thrown_out_and_said_aloud(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    smooth = np.stack([gaussian_filter(rng.normal(size=SIZE[::-1]), 2) for _ in range(3)], axis=2)
    backdrop = np.clip(127 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)
    photos = [np.where(mask[..., None], photo, backdrop) for photo, mask in map(render, ANGLES)]
    solve = solve_scene(
        saved(tmp_path / "photos", photos, None), None, PredictionStore(tmp_path / "store"), silent, USUAL
    )
    assert largest_turn_error_deg(solve, ANGLES) < 0.5
    assert any(
        notice.subject == "stationary background" and "masks" in notice.text for notice in solve.notices
    )


def test_a_view_of_something_else_is_left_out_by_name(tmp_path: Path) -> None:
    photos, masks = before_backdrop(0)
    stranger = np.random.default_rng(9).integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8)
    views = saved(
        tmp_path / "photos", [*photos, stranger, photos[0]], [*masks, masks[0], np.zeros_like(masks[0])]
    )
    solve = solve_scene(views, None, PredictionStore(tmp_path / "store"), silent, USUAL)
    assert solve.placed == (0, 1, 2, 3, 4)
    lost = {notice.subject: notice.text for notice in solve.notices if notice.level is Level.LEFT_OUT}
    assert "0 verified pairs" in lost["5.png"]
    assert "mask is empty" in lost["6.png"]


def test_a_doubled_photo_is_placed_where_its_twin_is(tmp_path: Path) -> None:
    photos, masks = before_backdrop(0)
    views = saved(tmp_path / "photos", [*photos, photos[2]], [*masks, masks[2]])
    solve = solve_scene(views, None, PredictionStore(tmp_path / "store"), silent, USUAL)
    assert solve.placed == (0, 1, 2, 3, 4, 5)
    assert largest_turn_error_deg(solve, [*ANGLES, ANGLES[2]]) < 0.5
    np.testing.assert_allclose(solve.cameras.centres[5], solve.cameras.centres[2], atol=0.01)


def test_two_photos_make_a_scene_whose_focal_is_said_to_be_assumed(tmp_path: Path) -> None:
    photos, masks = before_backdrop(0)
    views = saved(tmp_path / "photos", photos[1:3], masks[1:3])
    solve = solve_scene(views, None, PredictionStore(tmp_path / "store"), silent, USUAL)
    assert solve.placed == (0, 1)
    assert any("two photos cannot tell the focal" in notice.text for notice in solve.notices)
    known = [replace(view, K=K, grid_key=view.grid_key + "known") for view in views]
    solve = solve_scene(known, None, PredictionStore(tmp_path / "store"), silent, USUAL)
    assert largest_turn_error_deg(solve, ANGLES[1:3]) < 0.5
    np.testing.assert_allclose(solve.cameras.K, np.tile(K, (2, 1, 1)), atol=1e-9)


def test_two_cameras_keep_two_focals(tmp_path: Path) -> None:
    photos, masks = before_backdrop(0)
    photos[3:] = [cv2.resize(photo, (480, 360), interpolation=cv2.INTER_CUBIC) for photo in photos[3:]]
    masks[3:] = [
        cv2.resize(mask.astype(np.uint8), (480, 360), interpolation=cv2.INTER_NEAREST) > 0
        for mask in masks[3:]
    ]
    solve = solve_scene(
        saved(tmp_path / "photos", photos, masks), None, PredictionStore(tmp_path / "store"), silent, USUAL
    )
    assert solve.placed == (0, 1, 2, 3, 4)
    assert largest_turn_error_deg(solve, ANGLES) < 0.5
    np.testing.assert_allclose(solve.cameras.K[:, 0, 0], [500, 500, 500, 750, 750], rtol=0.05)
    np.testing.assert_allclose(solve.cameras.K[4, :2, 2], (239.5, 179.5), atol=1e-9)


def test_a_large_photo_is_solved_small_and_answered_in_its_own_pixels(tmp_path: Path) -> None:
    views = saved(tmp_path / "photos", *before_backdrop(0))
    whole, small = (
        solve_scene(
            views,
            None,
            PredictionStore(tmp_path / str(longest)),
            silent,
            SolveOptions(working_longest=longest),
        )
        for longest in (320, 200)
    )
    assert small.cameras.K[0, 0, 0] == pytest.approx(whole.cameras.K[0, 0, 0], rel=0.1)
    assert largest_turn_error_deg(small, ANGLES) < 1.0
    assert small.observed_xy.max() > 200


def test_copies_of_a_photo_are_no_scene(tmp_path: Path) -> None:
    photos, masks = before_backdrop(0)
    views = saved(tmp_path / "photos", [photos[0]] * 3, [masks[0]] * 3)
    with pytest.raises(ReconstructionError, match="copies"):
        solve_scene(views, None, PredictionStore(tmp_path / "store"), silent, USUAL)


def test_blank_photos_and_foreign_photos_and_empty_masks_are_named(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path / "store")
    rng = np.random.default_rng(4)
    blank = [np.full((*SIZE[::-1], 3), 90, np.uint8)] * 3
    with pytest.raises(ReconstructionError, match="texture"):
        solve_scene(saved(tmp_path / "blank", blank, None), None, store, silent, USUAL)
    foreign = [rng.integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8) for _ in range(3)]
    with pytest.raises(ReconstructionError, match="no pair of views has 15"):
        solve_scene(saved(tmp_path / "foreign", foreign, None), None, store, silent, USUAL)
    with pytest.raises(MaskError, match="polarity"):
        solve_scene(
            saved(tmp_path / "empty", foreign, [np.zeros(SIZE[::-1], bool)] * 3), None, store, silent, USUAL
        )
    with pytest.raises(ReconstructionError, match="at least two"):
        solve_scene(saved(tmp_path / "one", foreign[:1], None), None, store, silent, USUAL)


def test_another_grid_repeats_nothing(tmp_path: Path) -> None:
    views = [
        replace(view, photo_key=view.grid_key) for view in saved(tmp_path / "photos", *before_backdrop(0))
    ]
    store = PredictionStore(tmp_path / "store")
    whole = solve_scene(views, None, store, silent, USUAL)
    grid = PixelMap(SIZE, 1, (16, 8, 256, 224), (256, 224))
    cropped = [
        replace(
            view, grid_key=view.grid_key + "cropped", pixel_map=grid, image=image_to_target(grid, view.image)
        )
        for view in views
    ]
    stages: list[str] = []
    assert same(whole, solve_scene(cropped, None, store, lambda stage, *_: stages.append(stage), USUAL))
    assert stages == []
    other = [replace(view, photo_key=view.photo_key + "another mask") for view in views]
    solve_scene(other, None, store, lambda stage, *_: stages.append(stage), USUAL)
    assert "features" in stages


def test_a_photo_is_loaded_as_viewers_show_it(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    (view,) = saved(tmp_path / "photos", [pixels], None)
    rolled = replace(view, pixel_map=identity((30, 20), orientation=6), image=np.rot90(pixels, -1))
    assert np.array_equal(load_photo(rolled), np.rot90(pixels, -1))
