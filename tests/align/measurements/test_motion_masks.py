"""A turning object before a backdrop that stands still."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from small_measurements import small_views

from align.global_alignment import align_predictions
from align.measurements import gathered
from align.measurements.gathered import POSE_STRIDE, DirectedSample
from align.measurements.motion_masks import masked_by_motion, object_masks, segment_motions
from align.presets import POINTLOOM
from masks.notice import Level
from pairs.prediction.predictions import Matches, PairEntry, PairPrediction, Predictions
from pairs.views.view import grid_mask

HEIGHT, WIDTH = 32, 48
OBJECT = np.zeros((HEIGHT, WIDTH), bool)
OBJECT[8:26, 14:36] = True


def maps(turn_deg: float, backdrop_deg: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a view's points (H, W, 3) in its own frame and in a partner's: the object and the backdrop turn
    about (0, 0, 4).
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    depth = np.where(OBJECT, 4 + 0.5 * np.sin(x / 5.0) * np.cos(y / 4.0), 7 + 0.05 * x)
    own = np.stack([(x - WIDTH / 2) / 50, (y - HEIGHT / 2) / 50, np.ones_like(depth)], -1) * depth[..., None]
    centre = np.array([0, 0, 4.0])
    turned = [
        (own - centre) @ Rotation.from_euler("y", angle, degrees=True).as_matrix().T + centre
        for angle in (turn_deg, backdrop_deg)
    ]
    seen = 1.2 * np.where(OBJECT[..., None], *turned)
    return own, seen * (1 + rng.normal(0, 0.002, (HEIGHT, WIDTH, 1)))


def sample(
    in_source: np.ndarray,
    in_target: np.ndarray,
    target: int = 0,
    source: int = 1,
    stride: int = POSE_STRIDE // 2,
) -> DirectedSample:
    in_source, in_target = (
        points[stride // 2 :: stride, stride // 2 :: stride].reshape(-1, 3)
        for points in (in_source, in_target)
    )
    return DirectedSample(target, source, in_source, in_target, np.full(len(in_source), 2.0))


def test_a_turntable_before_a_still_backdrop_shows_two_motions() -> None:
    motions = segment_motions([sample(*maps(15, 0)), sample(*maps(-20, 0, 1), 1, 0)])
    assert motions.two.tolist() == [True, True]
    assert motions.share == 1
    turn = Rotation.from_matrix(motions.moving.R.numpy()).magnitude()
    np.testing.assert_allclose(np.rad2deg(turn), [15, 20], atol=0.5)
    assert (motions.still_share > 0.7).all()  # the object's own middle hardly moves either


def test_a_camera_that_walks_around_shows_one() -> None:
    assert segment_motions([sample(*maps(15, 15)), sample(*maps(-20, -20))]).two.tolist() == [False, False]


def test_a_scene_where_nothing_moves_shows_one() -> None:
    assert segment_motions([sample(*maps(0, 0))]).two.tolist() == [False]


def test_absent_pixels_may_hold_nan() -> None:
    run = sample(*maps(15, 0))
    weight = np.where(np.arange(len(run.weight)) % 3 == 0, 0, run.weight)
    spoiled = np.where(weight[:, None] > 0, run.in_source, np.nan)
    motions = segment_motions(
        [replace(run, weight=weight, in_source=spoiled), replace(run, weight=0 * weight)]
    )
    assert motions.two.tolist() == [True, False]


def turntable(turn_deg: float, backdrop_deg: float) -> tuple[Predictions, list[DirectedSample]]:
    """Return four unmasked views and their samples: the first with each of the others."""
    one = np.full((HEIGHT, WIDTH), 3.0)
    entries, samples = [], []
    for seed in range(3):
        (own, seen), (partner, partner_seen) = (
            maps(turn_deg, backdrop_deg, seed),
            maps(-turn_deg, -backdrop_deg, seed + 5),
        )
        entries.append(
            PairEntry(
                PairPrediction(partner, seen, one, one), PairPrediction(own, partner_seen, one, one), None
            )
        )
        samples += [sample(own, seen, 0, seed + 1), sample(partner, partner_seen, seed + 1, 0)]
    return Predictions(
        tuple(small_views(4)), ((0, 1), (0, 2), (0, 3)), entries.__getitem__, None, ()
    ), samples


def test_votes_cut_the_object_out() -> None:
    predictions, samples = turntable(15, 0)
    for mask in object_masks(predictions, segment_motions(samples)):
        assert (mask & OBJECT).sum() / (mask | OBJECT).sum() > 0.95


def test_an_unmasked_turntable_is_masked_with_a_warning() -> None:
    predictions, samples = turntable(15, 0)
    masked, notices = masked_by_motion(predictions, samples)
    assert [n.level for n in notices] == [Level.WARNING]
    assert all(grid_mask(view).mean() < 0.5 for view in masked.views)
    again, said = masked_by_motion(masked, samples)
    assert again is masked
    assert said == ()


def test_unmasked_views_of_one_motion_stay_whole() -> None:
    predictions, samples = turntable(15, 15)
    assert masked_by_motion(predictions, samples) == (predictions, ())


def test_a_view_that_cannot_be_used_is_named_where_the_object_is_cut_out_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The tiny pictures hold too few points at the usual stride.
    monkeypatch.setattr(gathered, "POSE_STRIDE", POSE_STRIDE // 2)
    given, _ = turntable(15, 0)
    xy = np.argwhere(OBJECT)[:, ::-1].astype(float)
    tied = Matches(xy, xy, np.full(len(xy), 3.0))
    predictions = replace(
        given,
        views=(*given.views, replace(given.views[0], name="lone")),
        load=lambda k: replace(given.load(k), matches=tied),
    )
    notices = align_predictions(predictions, POINTLOOM).report.notices
    assert "masks" in {n.subject for n in notices if n.level is Level.WARNING}
    assert "lone" in {n.subject for n in notices if n.level is Level.LEFT_OUT}
