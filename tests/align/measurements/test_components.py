"""Predictions that matches do not tie into one whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_predictions import ENTRIES, TRUTH, predictions, small_view

from align.evaluation.camera_errors import pair_errors
from align.global_alignment import align_components, align_connected, align_predictions
from align.presets import POINTLOOM
from masks.errors import GraphError
from masks.notice import Level
from pairs.prediction.predictions import Matches, PairEntry, Predictions

NONE = Matches(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))


def few(entry: PairEntry, count: int) -> PairEntry:
    """Return the entry with only the first matches."""
    matches = entry.matches
    assert matches is not None
    return replace(entry, matches=Matches(matches.xy_a[:count], matches.xy_b[:count], matches.conf[:count]))


def two_sets(bridge: int = 0) -> Predictions:
    """Return the five views twice, as 0 to 4 and 5 to 9; 4 of the first set has no matches, 0 of both sets
    are tied by a number of matches.
    """
    entries = {
        (a + k, b + k): few(entry, 0) if k == 0 and b == 4 else entry
        for (a, b), entry in ENTRIES.items()
        for k in (0, 5)
    }
    entries[0, 5] = few(ENTRIES[0, 1], bridge)
    edges = tuple(entries)
    views = tuple(replace(small_view(k % 5), name=f"{k}.jpg") for k in range(10))
    return Predictions(views, edges, lambda k: entries[edges[k]], None, ())


@pytest.mark.parametrize("bridge", [0, 3])
def test_two_sets_give_two_scenes_and_a_report_that_names_the_lone_view(bridge: int) -> None:
    scenes = align_components(two_sets(bridge), POINTLOOM)
    assert [[view.name for view in scene.views] for scene in scenes] == [
        [f"{k}.jpg" for k in part] for part in (range(5, 10), range(4))
    ]
    for scene, truth in zip(scenes, (TRUTH, TRUTH[:4])):
        assert pair_errors(scene.cameras.cam_from_world, truth)[0].max() < 0.3
        assert len(scene.inputs) == 10
        assert [n.subject for n in scene.report.notices if n.level is Level.LEFT_OUT] == ["4.jpg"]
    assert "part 2 has 4 (0.jpg, 1.jpg" in next(
        n.text for n in scenes[0].report.notices if n.subject == "parts"
    )
    tied = [n.text for n in scenes[0].report.notices if n.subject == "pairs"]
    assert tied == (
        []
        if bridge == 0
        else ["0.jpg and 5.jpg: 3 matches alone are not enough to tie their parts. Add pairs that link them."]
    )


def test_alone_the_largest_part_is_the_scene() -> None:
    np.testing.assert_array_equal(
        align_predictions(two_sets(), POINTLOOM).cameras.cam_from_world,
        align_components(two_sets(), POINTLOOM)[0].cameras.cam_from_world,
    )


def test_a_pair_of_few_matches_inside_a_part_still_counts() -> None:
    scene = align_predictions(predictions(ENTRIES | {(0, 1): few(ENTRIES[0, 1], 3)}), POINTLOOM)
    assert len(scene.views) == 5
    assert (0, 1) in scene.edges


def test_a_part_that_cannot_be_aligned_keeps_its_number() -> None:
    given = two_sets()
    mirrored = TRUTH.copy()
    mirrored[:, :3, 3] *= -1  # every centre on the other side of the origin
    views = (
        *(replace(view, cam_from_world=pose) for view, pose in zip(given.views[:4], mirrored)),
        *given.views[4:],
    )
    first, second = align_components(replace(given, views=views), POINTLOOM)
    assert first is not None
    assert second is None
    assert "stated poses" in next(n.text for n in first.report.notices if n.subject == "part 2")


def test_whole_or_not_at_all() -> None:
    with pytest.raises(GraphError, match="part 2 has 4"):
        align_connected(two_sets(), POINTLOOM)
    lone = {edge: few(entry, 0) if 4 in edge else entry for edge, entry in ENTRIES.items()}
    with pytest.raises(GraphError, match=r"4\.jpg: no matches tie it"):
        align_connected(predictions(lone), POINTLOOM)
    assert len(align_connected(predictions(), POINTLOOM).views) == 5


def test_two_views_with_too_few_matches_are_refused_by_name() -> None:
    with pytest.raises(GraphError, match=r"0\.jpg and 1\.jpg: 7 matches alone are not enough"):
        align_predictions(predictions({(0, 1): few(ENTRIES[0, 1], 7)}), POINTLOOM)
