"""Views placed in a scene that stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_predictions import DEPTHS, ENTRIES, TRUTH, predictions, small_view, true_cameras

from align.evaluation import pair_errors
from align.presets import POINTLOOM, PRESETS
from align.scene import Scene
from align.sparse.align import align_onto, sparse_align
from masks.errors import UserError
from pairs.prediction import Predictions


def first_four() -> Scene:
    """Return a scene of the first four views, in a world and a unit of its own."""
    return sparse_align(some({edge for edge in ENTRIES if 4 not in edge}, range(4)), POINTLOOM)


def some(edges: set[tuple[int, int]], views: range) -> Predictions:
    entries = {edge: ENTRIES[edge] for edge in ENTRIES if edge in edges}
    known = tuple(entries)
    return Predictions(tuple(small_view(k) for k in views), known, lambda k: entries[known[k]], None, ())


def test_the_scene_stays_to_the_bit_and_the_new_view_finds_its_place() -> None:
    scene = first_four()
    grown = align_onto(scene, predictions(), POINTLOOM)
    assert [view.name for view in grown.views] == [f"{k}.jpg" for k in range(5)]
    np.testing.assert_array_equal(grown.cameras.cam_from_world[:4], scene.cameras.cam_from_world)
    np.testing.assert_array_equal(grown.cameras.K[:4], scene.cameras.K)
    for before, after in zip(scene.views, grown.views):
        np.testing.assert_array_equal(after.depth, before.depth)
    assert pair_errors(grown.cameras.cam_from_world, TRUTH)[0].max() < 0.3
    span = [np.linalg.norm(cameras.centres[0] - cameras.centres[3]) for cameras in (grown.cameras, true_cameras())]
    assert np.median(grown.views[4].depth / DEPTHS[4].numpy()) == pytest.approx(span[0] / span[1], rel=0.01)
    assert set(grown.edges) == set(ENTRIES)


def test_pairs_of_the_new_view_alone_are_enough() -> None:
    grown = align_onto(first_four(), some({(1, 4), (2, 4), (3, 4)}, range(5)), POINTLOOM)
    assert pair_errors(grown.cameras.cam_from_world, TRUTH)[0].max() < 0.3


def test_what_cannot_be_placed_is_refused_with_the_remedy() -> None:
    scene, given = first_four(), predictions()
    strangers = replace(given, views=tuple(replace(view, name=f"other {view.name}") for view in given.views))
    with pytest.raises(UserError, match="known by their names"):
        align_onto(scene, strangers, POINTLOOM)
    with pytest.raises(UserError, match="Add pairs"):
        align_onto(scene, some({edge for edge in ENTRIES if 4 not in edge}, range(5)), POINTLOOM)
    with pytest.raises(UserError, match="--preset pointloom"):
        align_onto(scene, given, PRESETS["mast3r"])
