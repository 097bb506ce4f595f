"""Matches of a pair, and pairs cut from a group."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from textured_disc import DiscScene, disc_scene, solve, views

from pairs.backends.classical.feature_tracks import feature_matches, feature_tracks
from pairs.backends.classical.induced_matches import induced_matches, sure_matches
from pairs.backends.classical.pair_source import PairSource, load_matches, load_pair, pair_source
from pairs.prediction.predictions import GroupPrediction, Matches
from pairs.prediction.store import PredictionStore


def true_group(scene: DiscScene, conf: float = 9.0) -> GroupPrediction:
    """Return a group that knows the truth and is sure of it inside the masks."""
    depth = tuple(d.astype(np.float32) for d in scene.depth)
    return GroupPrediction(
        scene.cameras, depth, tuple(np.where(m, conf, 1).astype(np.float32) for m in scene.mask)
    )


def true_place(scene: DiscScene, b: int, a: int, xy: np.ndarray) -> np.ndarray:
    """Carry pixels (N, 2) of view a through space to view b; integer pixels only."""
    column, row = xy.astype(int).T
    points = (
        np.linalg.inv(scene.cameras.K[a])
        @ np.stack([column, row, np.ones(len(xy))])
        * scene.depth[a][row, column]
    )
    b_from_a = scene.cameras.cam_from_world[b] @ scene.cameras.world_from_cam[a]
    pixels = scene.cameras.K[b] @ (b_from_a[:3, :3] @ points + b_from_a[:3, 3:])
    return (pixels[:2] / pixels[2]).T


def some_matches(number: int, conf: float) -> Matches:
    """Return matches without meaning."""
    return Matches(np.zeros((number, 2)), np.zeros((number, 2)), np.full(number, conf))


def source_of(scene: DiscScene, folder: Path) -> PairSource:
    """Return all pairs of a scene whose truth is known."""
    tracks = feature_tracks(views(scene, folder), solve(scene))
    edges = tuple((a, b) for a in range(len(scene.depth)) for b in range(a + 1, len(scene.depth)))
    return pair_source(true_group(scene), tracks, edges, 8, PredictionStore(folder / "store"))


def test_induced_matches_are_true_and_stay_inside_the_masks() -> None:
    scene = disc_scene((0, 15))
    matches = induced_matches(true_group(scene), 0, 1, 8)
    whole_a = (matches.xy_a == np.rint(matches.xy_a)).all(1)
    assert 0.3 < whole_a.mean() < 0.7
    np.testing.assert_allclose(
        matches.xy_b[whole_a], true_place(scene, 1, 0, matches.xy_a[whole_a]), atol=1e-4
    )
    np.testing.assert_allclose(
        matches.xy_a[~whole_a], true_place(scene, 0, 1, matches.xy_b[~whole_a]), atol=1e-4
    )
    assert (matches.xy_a[whole_a] % 8 == 4).all()
    for v, xy in enumerate((matches.xy_a, matches.xy_b)):
        column, row = np.rint(xy).astype(int).T
        assert scene.mask[v][row, column].all()
    np.testing.assert_allclose(matches.conf, 9)


def test_depths_that_disagree_or_are_not_sure_induce_nothing() -> None:
    scene = disc_scene((0, 15))
    group = true_group(scene)
    wrong = replace(group, depth=(group.depth[0], group.depth[1] * np.float32(1.02)))
    assert len(induced_matches(wrong, 0, 1, 8).conf) == 0
    assert len(induced_matches(true_group(scene, conf=1.4), 0, 1, 8).conf) == 0


def test_both_orders_give_the_same_matches() -> None:
    group = true_group(disc_scene((0, 15)))
    forth, back = induced_matches(group, 0, 1, 8), induced_matches(group, 1, 0, 8)
    half = np.sum((forth.xy_a == np.rint(forth.xy_a)).all(1))
    np.testing.assert_array_equal(np.roll(forth.xy_a, -half, 0), back.xy_b)


def test_unsure_matches_are_dropped_and_few_count_as_none() -> None:
    assert len(sure_matches(some_matches(19, 5.0), some_matches(30, 2.9)).conf) == 0
    assert len(sure_matches(some_matches(19, 5.0), some_matches(1, 3.0)).conf) == 20


def test_scene_points_are_matches_and_long_tracks_are_surer(tmp_path: Path) -> None:
    scene = disc_scene((0, 15, 30))
    solved = solve(scene)
    # The last hundred observations are those of the third view's last points.
    short = replace(
        solved,
        **{name: getattr(solved, name)[:-100] for name in ("observed_point", "observed_by", "observed_xy")},
    )
    matches = feature_matches(feature_tracks(views(scene, tmp_path), short), 0, 1)
    np.testing.assert_array_equal(matches.xy_a, solved.observed_xy[:200])
    np.testing.assert_array_equal(matches.xy_b, solved.observed_xy[200:400])
    np.testing.assert_array_equal(matches.conf, [10] * 100 + [8] * 100)


def test_observations_off_the_object_are_no_matches(tmp_path: Path) -> None:
    scene = disc_scene((0, 15))
    solved = solve(scene)
    moved = solved.observed_xy.copy()
    moved[:3] = (1, 1), (-5, 3), (500, 500)
    matches = feature_matches(
        feature_tracks(views(scene, tmp_path), replace(solved, observed_xy=moved)), 0, 1
    )
    np.testing.assert_array_equal(matches.xy_b, solved.observed_xy[203:])


def test_a_pair_is_cut_with_stored_matches(tmp_path: Path) -> None:
    source = source_of(disc_scene((0, 15)), tmp_path)
    fresh = load_matches(source, 0)
    stored = list((tmp_path / "store").rglob("*.safetensors"))
    assert len(stored) == 1
    entry = load_pair(source, 0)
    assert entry.matches is not None
    assert len(fresh.conf) > 200
    np.testing.assert_array_equal(entry.matches.xy_b, fresh.xy_b)
    assert list((tmp_path / "store").rglob("*.safetensors")) == stored


def test_a_pair_without_sure_matches_hands_on_an_empty_list(tmp_path: Path) -> None:
    scene = disc_scene((0, 15))
    source = source_of(scene, tmp_path)
    blind = replace(
        source,
        group=true_group(scene, conf=1.0),
        tracks=feature_tracks(views(scene, tmp_path), solve(scene, 5)),
        view_keys=("a", "b"),
    )
    entry = load_pair(blind, 0)
    assert entry.matches is not None
    assert len(entry.matches.conf) == 0
