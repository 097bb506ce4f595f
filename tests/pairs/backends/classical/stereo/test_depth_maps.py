"""Depth of a whole scene: what must be true of the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from local_work import working
from textured_disc import SIZE, DiscScene, disc_scene, solve, views

from masks.notice import Notice
from masks.pixelmap import PixelMap, image_to_target
from masks.progress import Progress, silent
from pairs.backends.classical.options import DepthOptions
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.backends.classical.stereo import depth_maps
from pairs.prediction.predictions import GroupPrediction
from pairs.prediction.store import PredictionStore
from pairs.views.view import View

ANGLES = (-20, -10, 0, 10, 20)
USUAL = DepthOptions()


def dense_group(
    made: Sequence[View],
    solved: SceneSolve,
    store: PredictionStore,
    progress: Progress,
    options: DepthOptions,
    processes: int = 1,
) -> tuple[GroupPrediction, tuple[Notice, ...]]:
    with working(store, progress, processes) as work:
        return depth_maps.dense_group(made, solved, work, options)


def group_of(
    scene: DiscScene, folder: Path, seed: int = 0, masked: bool = True, workers: int = 1
) -> GroupPrediction:
    """Measure the scene from its photographs, with a store of its own."""
    made = views(scene, folder / "photos", seed, masked)
    group, notices = dense_group(
        made, solve(scene), PredictionStore(folder / "store"), silent, USUAL, workers
    )
    assert notices == ()
    return group


def assert_same(one: GroupPrediction, other: GroupPrediction) -> None:
    """Compare two groups bit by bit."""
    np.testing.assert_array_equal(one.cameras.cam_from_world, other.cameras.cam_from_world)
    for maps in ("depth", "conf"):
        for a, b in zip(getattr(one, maps), getattr(other, maps)):
            np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def scene() -> DiscScene:
    return disc_scene(ANGLES)


@pytest.fixture(scope="module")
def group(scene: DiscScene, tmp_path_factory: pytest.TempPathFactory) -> GroupPrediction:
    return group_of(scene, tmp_path_factory.mktemp("group"))


def test_depth_is_true_in_one_scale(scene: DiscScene, group: GroupPrediction) -> None:
    scale = scene.cameras.cam_from_world[0, 2, 3] / group.cameras.cam_from_world[0, 2, 3]
    for v, mask in enumerate(scene.mask):
        sure = group.conf[v] > 5
        assert sure.sum() > 0.8 * mask.sum()
        error = np.abs(scale * group.depth[v][sure] / scene.depth[v][sure] - 1)
        assert np.median(error) < 0.0005
        assert np.percentile(error, 99) < 0.01


def test_the_median_confident_depth_is_one(group: GroupPrediction) -> None:
    sure = np.concatenate([depth[conf > 1.5] for depth, conf in zip(group.depth, group.conf)])
    np.testing.assert_allclose(np.median(sure), 1, rtol=1e-6)


def test_every_pixel_has_a_depth_and_background_is_exactly_unsure(
    scene: DiscScene, group: GroupPrediction
) -> None:
    for depth, conf, mask in zip(group.depth, group.conf, scene.mask):
        assert depth.dtype == conf.dtype == np.float32
        assert np.isfinite(depth).all()
        assert (depth > 0).all()
        assert (conf >= 1).all()
        assert (conf[~mask] == 1).all()
        # What is filled up lies where the object lies: never near, never far.
        assert depth[~mask].min() >= depth[mask].min() * 0.99
        assert depth[~mask].max() <= depth[mask].max() * 1.01


def test_background_bits_never_change_depth(scene: DiscScene, group: GroupPrediction, tmp_path: Path) -> None:
    assert_same(group, group_of(scene, tmp_path, seed=7))


def test_the_number_of_workers_does_not_matter(
    scene: DiscScene, group: GroupPrediction, tmp_path: Path
) -> None:
    assert_same(group, group_of(scene, tmp_path, workers=2))


def test_a_killed_run_goes_on_with_the_same_bytes(
    scene: DiscScene, group: GroupPrediction, tmp_path: Path
) -> None:
    made, store = views(scene, tmp_path / "photos"), PredictionStore(tmp_path / "store")

    def stop_after(wanted: str, number: int):
        def progress(stage: str, done: int, total: int) -> None:
            if stage == wanted and done > number:
                raise KeyboardInterrupt

        return progress

    for stage in ("measuring depth", "fusing depth"):
        with pytest.raises(KeyboardInterrupt):
            dense_group(made, solve(scene), store, stop_after(stage, 2), USUAL)
    stages: dict[str, int] = {}
    resumed, _ = dense_group(
        made, solve(scene), store, lambda stage, done, total: stages.setdefault(stage, done), USUAL
    )
    assert stages == {"fusing depth": 3}
    assert_same(group, resumed)


def test_a_finished_scene_opens_no_photo(scene: DiscScene, group: GroupPrediction, tmp_path: Path) -> None:
    group_of(scene, tmp_path)
    made = views(scene, tmp_path / "photos")
    for view in made:
        assert view.path is not None
        view.path.unlink()
    again, _ = dense_group(made, solve(scene), PredictionStore(tmp_path / "store"), silent, USUAL)
    assert_same(group, again)


def test_without_masks_the_whole_picture_counts(scene: DiscScene, tmp_path: Path) -> None:
    whole = group_of(scene, tmp_path, masked=False)
    assert np.mean([conf > 1 for conf in whole.conf]) > 0.6 > np.mean(scene.mask)


def test_a_view_without_neighbours_takes_its_points_depth_and_a_notice(
    scene: DiscScene, tmp_path: Path
) -> None:
    lonely = disc_scene((*ANGLES, 90))
    solved = solve(lonely)
    group, notices = dense_group(
        views(lonely, tmp_path / "photos"), solved, PredictionStore(tmp_path / "store"), silent, USUAL
    )
    assert [notice.subject for notice in notices] == ["5.png"]
    assert (group.conf[5] == 1).all()
    scale = group.cameras.cam_from_world[5, 2, 3] / lonely.cameras.cam_from_world[5, 2, 3]
    points = solved.points @ lonely.cameras.cam_from_world[5, 2, :3] + lonely.cameras.cam_from_world[5, 2, 3]
    np.testing.assert_allclose(group.depth[5], scale * np.median(points), rtol=1e-3)


def test_views_may_have_grids_of_different_sizes(
    scene: DiscScene, group: GroupPrediction, tmp_path: Path
) -> None:
    made = list(views(scene, tmp_path / "photos"))
    cropped = PixelMap(SIZE, 1, (16, 8, 104, 80), (104, 80))
    made[1] = replace(
        made[1], pixel_map=cropped, image=image_to_target(cropped, made[1].image), grid_key="cropped"
    )
    mixed, _ = dense_group(made, solve(scene), PredictionStore(tmp_path / "store"), silent, USUAL)
    assert mixed.depth[1].shape == (80, 104)
    sure = (mixed.conf[1] > 5) & (group.conf[1][8:88, 16:120] > 5)
    assert sure.sum() > 2000
    np.testing.assert_allclose(mixed.depth[1][sure], group.depth[1][8:88, 16:120][sure], rtol=0.01)


def test_only_placed_views_are_measured(scene: DiscScene, tmp_path: Path) -> None:
    """A view that the solve left out takes no part, and the others do not change for it."""
    some = disc_scene(ANGLES[1:4])
    alone = group_of(some, tmp_path / "alone")
    made = views(some, tmp_path / "photos")
    stranger = replace(made[0], name="stranger.png", grid_key="stranger")
    shifted = replace(solve(some), placed=(1, 2, 3))
    among, _ = dense_group((stranger, *made), shifted, PredictionStore(tmp_path / "store"), silent, USUAL)
    assert_same(alone, among)
