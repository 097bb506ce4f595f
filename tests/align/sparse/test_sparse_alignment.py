"""From predictions to a scene: starts, masks, parts of the graph, and refinements that are not handed on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_predictions import (
    DEPTHS,
    ENTRIES,
    NUM_VIEWS,
    TRUTH,
    predictions,
    small_view,
    true_cameras,
)
from small_scene import HEIGHT, WIDTH, intrinsics

from align.evaluation.camera_errors import pair_errors
from align.global_alignment import align_predictions
from align.measurements.gather import on_pixels
from align.presets import POINTLOOM, PRESETS, with_fixed_poses, with_options
from align.sparse.options import Stage
from align.sparse.robust import Gamma
from masks.errors import GraphError
from masks.notice import Level
from pairs.prediction.predictions import Matches, PairEntry, PairPrediction
from pairs.views.cameras import Cameras

FROZEN = with_fixed_poses(POINTLOOM)


def worst_rotation_deg(found: Cameras) -> float:
    return float(pair_errors(found.cam_from_world, TRUTH)[0].max())


def test_poses_follow_from_the_pairs_alone() -> None:
    scene = align_predictions(predictions(), POINTLOOM)
    assert worst_rotation_deg(scene.cameras) < 0.2
    assert abs(scene.cameras.K[0, 0, 0] / intrinsics()[0, 0] - 1) < 0.01
    assert scene.report.figures["stopped"] == "small gain"


def test_depth_and_cameras_share_one_scale() -> None:
    scene = align_predictions(predictions(), POINTLOOM)
    ratio = [np.median(seen.depth / depth.numpy()) for seen, depth in zip(scene.views, DEPTHS)]
    span = [
        np.linalg.norm(cameras.centres[0] - cameras.centres[-1])
        for cameras in (scene.cameras, true_cameras())
    ]
    np.testing.assert_allclose(ratio, span[0] / span[1], rtol=0.01)


def test_stated_poses_are_believed_softly_whatever_the_runs_scales() -> None:
    given = predictions()
    stated = tuple(
        replace(view, K=intrinsics().numpy(), cam_from_world=pose) for view, pose in zip(given.views, TRUTH)
    )
    scene = align_predictions(replace(given, views=stated), POINTLOOM)
    assert worst_rotation_deg(scene.cameras) < 0.1
    np.testing.assert_allclose(scene.cameras.centres, true_cameras().centres, atol=0.02)
    np.testing.assert_allclose(scene.cameras.K, true_cameras().K, rtol=1e-12)
    for seen, depth in zip(scene.views, DEPTHS):
        assert np.median(np.abs(seen.depth / depth.numpy() - 1)) < 0.01


def test_poses_stated_for_some_views_set_the_world_of_all() -> None:
    given = predictions()
    stated = [
        replace(view, cam_from_world=TRUTH[k]) if k in (0, 4) else view for k, view in enumerate(given.views)
    ]
    scene = align_predictions(replace(given, views=tuple(stated)), FROZEN)
    np.testing.assert_array_equal(scene.cameras.cam_from_world[[0, 4]], np.array(TRUTH)[[0, 4]])
    np.testing.assert_allclose(scene.cameras.centres, true_cameras().centres, atol=0.02)


def test_the_reference_takes_no_cameras() -> None:
    short = with_options(
        PRESETS["mast3r"], coarse=Stage(0.07, 5, Gamma(1.5)), fine=Stage(0.01, 0, Gamma(0.5))
    )
    given = align_predictions(predictions(cameras=true_cameras()), short)
    alone = align_predictions(predictions(), short)
    np.testing.assert_array_equal(given.cameras.cam_from_world, alone.cameras.cam_from_world)


def test_a_refinement_that_ends_worse_is_thrown_away_and_said() -> None:
    still = Stage(0.0, 0, Gamma(1.5))
    start, wild = (
        align_predictions(predictions(), with_options(PRESETS["mast3r"], coarse=still, fine=fine))
        for fine in (still, Stage(0.5, 5, Gamma(0.5)))
    )
    np.testing.assert_array_equal(wild.cameras.cam_from_world, start.cameras.cam_from_world)
    assert not wild.report.figures["refinement kept"]
    assert any(n.level is Level.WARNING and "worse than it began" in n.text for n in wild.report.notices)


def test_what_lies_outside_the_masks_changes_no_bit() -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[4:28, 8:40] = True
    dirty = {}
    for edge, clean in ENTRIES.items():
        runs = []
        for run in (clean.ab, clean.ba):
            maps = [np.where(mask[..., None], points, np.nan) for points in (run.a_in_a, run.b_in_a)]
            runs.append(
                PairPrediction(*maps, *(np.where(mask, conf, 99.0) for conf in (run.a_conf, run.b_conf)))
            )
        dirty[edge] = PairEntry(runs[0], runs[1], clean.matches)
    kept, changed = (
        align_predictions(predictions(entries, mask=mask), POINTLOOM) for entries in (ENTRIES, dirty)
    )
    np.testing.assert_array_equal(changed.cameras.cam_from_world, kept.cameras.cam_from_world)
    for ours, theirs in zip(changed.views, kept.views):
        np.testing.assert_array_equal(ours.depth, theirs.depth)
        assert not ours.conf[~mask].any()


def test_a_view_without_matches_is_left_out_by_name_and_the_rest_is_aligned() -> None:
    nothing = Matches(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    cut = {edge: replace(found, matches=nothing) if 4 in edge else found for edge, found in ENTRIES.items()}
    scene = align_predictions(predictions(cut), POINTLOOM)
    assert [v.name for v in scene.views] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert [n.subject for n in scene.report.notices if n.level is Level.LEFT_OUT] == ["4.jpg"]
    assert pair_errors(scene.cameras.cam_from_world, TRUTH[:4])[0].max() < 0.2


def test_no_matches_at_all_is_an_error() -> None:
    nothing = Matches(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    with pytest.raises(GraphError, match="no two views are tied"):
        align_predictions(
            predictions({edge: replace(found, matches=nothing) for edge, found in ENTRIES.items()}), POINTLOOM
        )


def test_a_view_without_a_run_of_its_own_is_left_out_by_name() -> None:
    one_way = {edge: replace(found, ba=None) for edge, found in ENTRIES.items()}
    scene = align_predictions(predictions(one_way), POINTLOOM)
    assert [view.name for view in scene.views] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert any(n.subject == "4.jpg" and "own frame" in n.text for n in scene.report.notices)


def test_a_view_with_an_empty_mask_is_left_out_by_name() -> None:
    given = predictions(mask=np.ones((HEIGHT, WIDTH), bool))
    views = (*given.views[:2], small_view(2, np.zeros((HEIGHT, WIDTH), bool)), *given.views[3:])
    scene = align_predictions(replace(given, views=views), POINTLOOM)
    assert "2.jpg" not in {v.name for v in scene.views}
    assert any(n.subject == "2.jpg" and "mask" in n.text for n in scene.report.notices)


def test_rounded_matches_are_distinct_and_keep_the_surest() -> None:
    xy = np.array([[1.2, 2.0], [0.9, 2.1], [5.0, 5.0]])
    kept = on_pixels(Matches(xy, xy + 10, np.array([1.0, 7.0, 3.0])))
    np.testing.assert_array_equal(kept.xy_a, [[1, 2], [5, 5]])
    np.testing.assert_array_equal(kept.conf, [7, 3])


def test_the_order_of_the_views_changes_nothing_but_rounding() -> None:
    order = [3, 0, 4, 1, 2]
    place = {k: n for n, k in enumerate(order)}
    shuffled = {}
    for (a, b), found in ENTRIES.items():
        i, j = place[a], place[b]
        flipped = PairEntry(
            found.ba, found.ab, Matches(found.matches.xy_b, found.matches.xy_a, found.matches.conf)
        )
        shuffled[min(i, j), max(i, j)] = found if i < j else flipped
    plain = align_predictions(predictions(), POINTLOOM)
    mixed = align_predictions(
        replace(predictions(shuffled), views=tuple(small_view(k) for k in order)), POINTLOOM
    )
    back = mixed.cameras.cam_from_world[[place[k] for k in range(NUM_VIEWS)]]
    assert pair_errors(back, plain.cameras.cam_from_world)[0].max() < 0.05
    assert torch.isfinite(torch.from_numpy(back)).all()
