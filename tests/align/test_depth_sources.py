"""Where depths come from, through the whole alignment, for every aligner and for groups."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from posed_views import MASK, K, noisy, posed
from small_predictions import DEPTHS, EDGES, ENTRIES, POSES, TRUTH, predictions, small_view, true_cameras
from small_scene import pair_record

from align.aligned import Aligned, with_depths
from align.depth_maps.matched_depth import PUBLISHED_MATCHED_DEPTH
from align.depth_maps.source import DepthSource
from align.depth_maps.tsdf import PublishedTsdf
from align.evaluation.camera_errors import pair_errors
from align.global_alignment import align_predictions, register_views
from align.group_scene import group_scene
from align.presets import DEPTHS as SOURCES
from align.presets import PRESETS, with_options
from masks.errors import UserError
from masks.progress import silent
from pairs.prediction.predictions import GroupPrediction

OBJECT = MASK.numpy()
OTHERS = {name: source for name, source in SOURCES.items() if source is not None}
EVERY = {
    **OTHERS,
    "published tsdf": PublishedTsdf(0.02, samples=8),
    "published matches": PUBLISHED_MATCHED_DEPTH,
}


@pytest.mark.parametrize("source", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("junk", [torch.nan, torch.inf, -1.0, 0.0, 0.3, 1e6])
def test_what_the_aligner_says_off_the_object_changes_no_depth_on_it(
    source: DepthSource, junk: float
) -> None:
    views = [small_view(k, OBJECT) for k in range(5)]
    records = [pair_record(POSES, list(DEPTHS), *edge) for edge in EDGES]
    found = []
    for off in (1.0, junk):
        dense = [
            replace(
                view,
                depth=torch.where(MASK, view.depth, off),
                points=torch.where(MASK[..., None], view.points, off),
                conf=torch.where(MASK, view.conf, off),
            )
            for view in posed(noisy()).dense
        ]
        aligned = Aligned(true_cameras(), tuple(dense), (), {})
        found.append(with_depths(aligned, views, records, source, silent).dense)
    for one, other in zip(*found):
        assert not torch.isfinite(one.depth[~MASK]).any()
        assert torch.isfinite(one.depth[MASK]).any()
        for name in ("depth", "points"):
            torch.testing.assert_close(
                getattr(one, name), getattr(other, name), rtol=0, atol=0, equal_nan=True
            )


@pytest.mark.parametrize("preset", ["pointloom", "mast3r", "dust3r"])
@pytest.mark.parametrize("depth", OTHERS)
def test_cameras_stay_to_the_bit_and_the_report_tells_where_depths_come_from(preset: str, depth: str) -> None:
    chosen = PRESETS[preset]
    if preset != "pointloom":
        chosen = with_options(chosen, solver="least-squares")
    plain, other = (
        align_predictions(predictions(mask=OBJECT), replace(chosen, depth=source))
        for source in (None, OTHERS[depth])
    )
    np.testing.assert_array_equal(plain.cameras.cam_from_world, other.cameras.cam_from_world)
    np.testing.assert_array_equal(plain.cameras.K, other.cameras.K)
    assert "depth" not in plain.report.figures
    assert other.report.figures["depth"]["source"] == depth
    assert "depth" in {notice.subject for notice in other.report.notices}
    for before, view in zip(plain.views, other.views):
        assert not np.array_equal(before.depth, view.depth)
        assert not view.depth[~OBJECT].any()
        assert np.median(abs(view.depth[view.depth > 0] / before.depth[view.depth > 0] - 1)) < 0.02
        assert not view.conf[view.depth == 0].any()


def test_views_placed_in_a_scene_leave_its_depths_to_the_bit() -> None:
    first = {edge: entry for edge, entry in ENTRIES.items() if 4 not in edge}
    scene = align_predictions(predictions(first), PRESETS["pointloom"])
    grown = register_views(scene, predictions(), replace(PRESETS["pointloom"], depth=OTHERS["tsdf"]))
    assert len(grown.views) == 5
    for before, after in zip(scene.views, grown.views):
        np.testing.assert_array_equal(before.depth, after.depth)
    assert pair_errors(grown.cameras.cam_from_world, TRUTH)[0].max() < 0.3


def test_depths_of_a_group_are_moved_to_where_its_views_agree() -> None:
    given = of_a_group()
    plain, moved = (group_scene(given, source) for source in (None, OTHERS["tsdf"]))
    before, after = (
        np.mean(
            [abs(view.depth / true.numpy() - 1)[6:-6, 8:-8].mean() for view, true in zip(scene.views, DEPTHS)]
        )
        for scene in (plain, moved)
    )
    assert after < 0.7 * before
    assert moved.report.figures["depth"]["source"] == "tsdf"


def test_a_group_has_no_matches_to_take_depths_from() -> None:
    with pytest.raises(UserError, match="`depth=tsdf`"):
        group_scene(of_a_group(), OTHERS["matches"])


def of_a_group():
    depth = tuple(d.numpy().astype(np.float32) for d in noisy())
    group = GroupPrediction(true_cameras(), depth, tuple(np.full(d.shape, 4, np.float32) for d in depth))
    return replace(predictions(), edges=(), cameras=group.cameras, group=group)


def test_the_small_scenes_cameras_are_the_posed_views() -> None:
    np.testing.assert_array_equal(true_cameras().K, K)
    np.testing.assert_array_equal(true_cameras().cam_from_world, POSES)
