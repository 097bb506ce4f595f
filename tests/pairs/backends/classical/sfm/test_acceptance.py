"""Whether a solved scene may be believed: its views, torn sequences, and places that views collapse onto."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import roma
import torch

from masks.lens import Lens
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import (
    Assessment,
    Verdict,
    agreement,
    assess,
    broken_neighbours,
    collapsed_views,
    mask_shares,
    with_broken_neighbours,
    with_collapsed_views,
    with_contradicting_outlines,
    with_few_views,
)
from pairs.backends.classical.sfm.mapper import CameraStart, MapperModel, residuals, seen_at
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.views.cameras import Cameras

SIZE = (160, 120)
FREE, STATED = (CameraStart(SIZE, np.eye(3), prior=False, fixed=fixed) for fixed in (False, True))


def turned(degrees: float) -> np.ndarray:
    """(4, 4) cam_from_world of a camera 5 units away that looks at the origin."""
    a = np.deg2rad(degrees)
    pose = np.eye(4)
    pose[:3, :3] = [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
    pose[2, 3] = 5
    return pose


def scene(
    angles: list[float], focal: float = 200.0, size: float = 1.0
) -> tuple[MapperModel, list[np.ndarray]]:
    """A bar beside the axis, seen in full by every view; returns the model and the measured positions."""
    points = np.random.default_rng(0).uniform((0.2, -1, -0.2), (1, 1, 0.2), (80, 3)) * size
    K = np.tile(np.array([[focal, 0, 79.5], [0, focal, 59.5], [0, 0, 1]]), (len(angles), 1, 1))
    poses = np.stack([turned(angle) for angle in angles])
    in_cam = np.einsum("vij,nj->vni", poses[:, :3, :3], points) + poses[:, None, :3, 3]
    xy = [(p @ k.T)[:, :2] / p[:, 2:] for p, k in zip(in_cam, K)]
    by, point = np.divmod(np.arange(len(angles) * len(points)), len(points))
    model = MapperModel(
        tuple(range(len(angles))),
        Cameras(K, poses),
        points,
        point.astype(np.int32),
        by.astype(np.int32),
        point.astype(np.int32),
    )
    return model, xy


def silhouettes(xy: list[np.ndarray]) -> list[np.ndarray]:
    """The box around the object in each view."""
    masks = []
    for positions in xy:
        mask = np.zeros((SIZE[1], SIZE[0]), bool)
        (x0, y0), (x1, y1) = np.floor(positions.min(0)).astype(int), np.ceil(positions.max(0)).astype(int)
        mask[max(0, y0) : y1 + 1, max(0, x0) : x1 + 1] = True
        masks.append(mask)
    return masks


def test_a_right_scene_fills_its_silhouettes() -> None:
    model, xy = scene([0, 40, 80, 180])
    judged = assess(model, xy, silhouettes(xy), [FREE] * 4, SolveOptions())
    assert judged.verdict is Verdict.SURE
    np.testing.assert_allclose(mask_shares(model, silhouettes(xy)), 1.0)


def test_a_folded_scene_leaves_its_silhouettes() -> None:
    folded, _ = scene([0, 40, 80, 0])
    _, xy = scene([0, 40, 80, 180])
    shares = mask_shares(folded, silhouettes(xy))
    assert shares[:3].min() == 1.0
    assert shares[3] < 0.3
    judged = assess(folded, xy, silhouettes(xy), [FREE] * 4, SolveOptions())
    assert judged.verdict is Verdict.REJECTED
    assert judged.folded


def test_points_outside_the_picture_do_not_count() -> None:
    model, xy = scene([0, 10, 20], focal=600.0)
    assert (np.concatenate(xy) > SIZE).any()
    np.testing.assert_allclose(mask_shares(model, silhouettes(xy)), 1.0)


def test_a_view_without_a_mask_is_not_counted() -> None:
    model, xy = scene([0, 40, 80])
    masks = [*silhouettes(xy)[:2], None]
    assert np.isnan(mask_shares(model, masks)[2])
    assert assess(model, xy, masks, [FREE] * 3, SolveOptions()).verdict is Verdict.SURE


@pytest.mark.parametrize(("share", "verdict"), [(0.97, Verdict.DOUBTFUL), (0.90, Verdict.REJECTED)])
def test_between_the_two_levels_a_scene_is_doubtful(share: float, verdict: Verdict) -> None:
    model, xy = scene([0, 40, 80])
    masks = silhouettes(xy)
    order = np.argsort(xy[1][:, 1])
    # Cutting the lower end of one mask off, three pixels of slack below it, leaves the wanted share inside.
    masks[1][round(xy[1][order[int(share * 80)], 1]) - 3 :] = False
    assert assess(model, xy, masks, [FREE] * 3, SolveOptions()).verdict is verdict


def test_without_masks_a_healthy_scene_is_called_not_checked() -> None:
    model, xy = scene([0, 10, 20])
    assert assess(model, xy, [None] * 3, [FREE] * 3, SolveOptions()).verdict is Verdict.UNCHECKED
    np.testing.assert_allclose(residuals(model, xy), 0, atol=1e-9)
    shaken = [positions + 2 for positions in xy]
    assert assess(model, shaken, [None] * 3, [FREE] * 3, SolveOptions()).verdict is Verdict.REJECTED


def test_a_solved_focal_must_be_plausible_and_a_stated_one_need_not() -> None:
    model, xy = scene([0, 10, 20], focal=160 * 12.0, size=0.1)
    assert assess(model, xy, silhouettes(xy), [FREE] * 3, SolveOptions()).verdict is Verdict.REJECTED
    assert assess(model, xy, silhouettes(xy), [STATED] * 3, SolveOptions()).verdict is Verdict.SURE


def test_a_principal_point_off_the_middle_changes_nothing_about_the_focal() -> None:
    # Nine longest sides of 160, which would be eleven of a picture of 130.
    model, xy = scene([0, 10, 20], focal=160 * 9.0, size=0.1)
    K = model.cameras.K.copy()
    K[:, :2, 2] = (64.5, 59.5)
    moved = replace(model, cameras=Cameras(K, model.cameras.cam_from_world))
    xy = [positions - (15, 0) for positions in xy]
    assert assess(moved, xy, silhouettes(xy), [FREE] * 3, SolveOptions()).verdict is Verdict.SURE


def test_silhouettes_are_those_of_the_distorted_photo() -> None:
    model, xy = scene([0, 40, 80])
    lens = Lens("SIMPLE_RADIAL", (-3.0,))
    distorted = replace(model, lenses=(lens,) * 3)
    seen = [seen_at(distorted, k, model.points)[0] for k in range(3)]
    assert max(np.abs(a - b).max() for a, b in zip(seen, xy)) > 5
    np.testing.assert_allclose(mask_shares(distorted, silhouettes(seen)), 1.0)
    assert mask_shares(model, silhouettes(seen)).min() < 1.0


NUM_FEATURES = 40


def ring(point_of: np.ndarray) -> MapperModel:
    """A scene from the point (V, N) that each key point sees, -1 for none."""
    by, feature = np.nonzero(point_of >= 0)
    num_views = len(point_of)
    cameras = Cameras(np.tile(np.eye(3), (num_views, 1, 1)), np.tile(np.eye(4), (num_views, 1, 1)))
    columns = (point_of[by, feature], by, feature)
    return MapperModel(
        tuple(range(num_views)),
        cameras,
        np.zeros((int(point_of.max()) + 1, 3)),
        *(column.astype(np.int32) for column in columns),
    )


def neighbours(num_views: int) -> dict[tuple[int, int], VerifiedPair]:
    every = np.stack([np.arange(NUM_FEATURES)] * 2, axis=1).astype(np.int32)
    return {
        tuple(sorted((k, (k + 1) % num_views))): VerifiedPair(np.eye(3), every, 1.0) for k in range(num_views)
    }


def test_neighbours_of_a_right_scene_see_the_same_points() -> None:
    model = ring(np.tile(np.arange(NUM_FEATURES), (6, 1)))
    assert set(agreement(model, neighbours(6)).values()) == {1.0}
    assert broken_neighbours(model, neighbours(6), 6) == ()


def test_a_fold_tears_the_ring_where_it_turns_back() -> None:
    first_half = np.arange(6)[:, None] < 3
    model = ring(np.where(first_half, np.arange(NUM_FEATURES), np.arange(NUM_FEATURES) + NUM_FEATURES))
    assert broken_neighbours(model, neighbours(6), 6) == ((2, 3), (0, 5))


def test_a_tear_between_last_and_first_alone_is_the_end_of_an_arc() -> None:
    point_of = np.arange(6)[:, None] * 10 + np.arange(
        NUM_FEATURES
    )  # neighbours share most points, the ends none
    pairs = {
        pair: VerifiedPair(
            np.eye(3),
            np.stack([np.arange(30) + 10 * (pair[1] - pair[0] == 1), np.arange(30)], 1).astype(np.int32),
            1.0,
        )
        for pair in neighbours(6)
    }
    assert broken_neighbours(ring(point_of), pairs, 6) == ()


def test_only_key_points_with_a_scene_point_bear_witness() -> None:
    point_of = np.tile(np.arange(NUM_FEATURES), (4, 1))
    point_of[1, 10:] = -1
    shares = agreement(ring(point_of), neighbours(4))
    assert set(shares) == {(2, 3), (0, 3)}
    point_of[1, :20] = np.arange(20)
    assert agreement(ring(point_of), neighbours(4))[0, 1] == 1.0


def test_views_that_are_not_placed_and_pairs_that_are_no_neighbours_are_not_asked() -> None:
    model = ring(np.tile(np.arange(NUM_FEATURES), (3, 1)))
    pairs = neighbours(6)
    pairs[0, 2] = VerifiedPair(np.eye(3), pairs[0, 1].indices[:, ::-1] * 0, 1.0)
    assert broken_neighbours(model, pairs, 6) == ()


@pytest.mark.parametrize(
    ("tears", "verdict"), [(0, Verdict.SURE), (1, Verdict.DOUBTFUL), (2, Verdict.REJECTED)]
)
def test_one_tear_makes_a_scene_doubtful_and_two_reject_it(tears: int, verdict: Verdict) -> None:
    judged = with_broken_neighbours(
        Assessment(Verdict.SURE, "fits", np.ones(4)), tuple((k, k + 1) for k in range(tears))
    )
    assert judged.verdict is verdict
    assert judged.folded == (verdict is Verdict.REJECTED)


def model_at(angles_deg: list[float]) -> MapperModel:
    """Cameras on a circle about the origin, looking inwards."""
    turn = torch.deg2rad(torch.tensor(angles_deg, dtype=torch.float64))
    R = roma.rotvec_to_rotmat(torch.stack([torch.zeros_like(turn), turn, torch.zeros_like(turn)], 1)).numpy()
    poses = np.tile(np.eye(4), (len(angles_deg), 1, 1))
    poses[:, :3, :3], poses[:, 2, 3] = R, 4
    nothing = np.zeros(0, np.int32)
    cameras = Cameras(np.tile(np.eye(3), (len(angles_deg), 1, 1)), poses)
    return MapperModel(tuple(range(len(angles_deg))), cameras, np.zeros((0, 3)), nothing, nothing, nothing)


def test_a_ring_has_no_coinciding_views() -> None:
    assert collapsed_views(model_at([30 * k for k in range(12)]), 12) == ()


def test_a_ring_folded_onto_a_quarter_is_seen_whole() -> None:
    assert collapsed_views(model_at([30 * (k % 3) for k in range(12)]), 12) == tuple(range(12))


def test_a_photo_taken_twice_in_a_row_is_no_fold() -> None:
    assert collapsed_views(model_at([15.0 * (k // 2) for k in range(16)]), 16) == ()


def test_frames_of_one_view_are_no_views_that_collapsed() -> None:
    paused = model_at([30.0 * min(k, 7) for k in range(16)])
    first = [min(k, 7) for k in range(16)]
    assert collapsed_views(paused, 16, first) == ()
    elsewhere = model_at([30.0 * (k % 8) for k in range(16)])
    assert len(collapsed_views(elsewhere, 16, first)) >= 14


def test_two_views_at_one_place_are_few_and_many_make_a_scene_doubtful() -> None:
    sure = Assessment(Verdict.SURE, "fits", None)
    assert with_collapsed_views(sure, (0, 10), 16) is sure
    doubtful = with_collapsed_views(sure, tuple(range(5)), 12)
    assert doubtful.verdict is Verdict.DOUBTFUL
    assert "5 of 12 views stand where others stand" in doubtful.reason


def test_a_scene_whose_views_mostly_collapse_is_rejected() -> None:
    collapsed = with_collapsed_views(Assessment(Verdict.SURE, "fits", None), tuple(range(12)), 12)
    assert collapsed.verdict is Verdict.REJECTED
    assert collapsed.folded


def test_three_views_of_twelve_are_no_sure_scene_unless_their_focal_is_stated() -> None:
    sure = Assessment(Verdict.SURE, "fits", None)
    few = with_few_views(sure, 3, 12, focal_free=True)
    assert few.verdict is Verdict.DOUBTFUL
    assert few.few
    assert "3 of 12 views" in few.reason
    assert with_few_views(sure, 3, 12, focal_free=False) is sure
    assert with_few_views(sure, 3, 5, focal_free=True) is sure
    assert with_few_views(sure, 4, 12, focal_free=True) is sure


def test_a_doubtful_scene_of_few_views_is_rejected_where_their_outlines_contradict_each_other() -> None:
    model, xy = scene([0, 20, 40])
    shown = [cv2.fillConvexPoly(np.zeros((120, 160), np.uint8), hull(p), 1).astype(bool) for p in xy]
    masks = [*shown, *[None] * 9]
    doubtful = Assessment(Verdict.DOUBTFUL, "fits nearly", None)
    assert with_contradicting_outlines(doubtful, model, masks) is doubtful
    off = model.cameras.cam_from_world.copy()
    off[1, :3] = cv2.Rodrigues(np.deg2rad([8.0, 0, 0]))[0] @ off[1, :3]
    wrong = replace(model, cameras=Cameras(model.cameras.K, off))
    rejected = with_contradicting_outlines(doubtful, wrong, masks)
    assert rejected.verdict is Verdict.REJECTED
    assert "outlines contradict each other by" in rejected.reason
    # Of most views of a set the masks may be poor, and the scene has other witnesses.
    assert with_contradicting_outlines(doubtful, wrong, shown) is doubtful


def hull(xy: np.ndarray) -> np.ndarray:
    """Corners of the convex hull of positions, as OpenCV draws them."""
    return cv2.convexHull(np.rint(xy).astype(np.int32))
