"""The default aligner on a small exact scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from small_gathered import small_gathered, small_views
from small_scene import FOCAL, HEIGHT, WIDTH, cam_from_world, intrinsics

from align.bundle.block_depth import block_depth
from align.bundle.bundle_alignment import BlockSolution, gauss_newton_align
from align.bundle.options import GaussNewton
from align.measurements.gathered import Gathered
from align.measurements.known_cameras import Known

TRUE = cam_from_world(5).numpy()


def errors(solution: BlockSolution, order: np.ndarray | None = None) -> tuple[float, float]:
    """Return the largest rotation error in degrees and the largest error of a centre over the object's
    distance, relative to the first view.
    """
    order = np.arange(5) if order is None else order
    found = solution.cam_from_world @ np.linalg.inv(solution.cam_from_world[0])
    true = TRUE[order] @ np.linalg.inv(TRUE[order][0])
    turn = np.rad2deg(
        Rotation.from_matrix(found[:, :3, :3] @ true[:, :3, :3].transpose(0, 2, 1)).magnitude().max()
    )
    t, s = found[:, :3, 3], true[:, :3, 3]
    scale = (t * s).sum() / (t * t).sum()
    return float(turn), float(np.linalg.norm(scale * t - s, axis=1).max() / 4)


def without_matches(gathered: Gathered, view: int) -> Gathered:
    """Return the same with the view's matches gone."""
    records = [
        replace(r, xy_a=r.xy_a[:0], xy_b=r.xy_b[:0], conf=r.conf[:0]) if view in (r.a, r.b) else r
        for r in gathered.records
    ]
    return replace(gathered, records=tuple(records))


def noisy(gathered: Gathered, seed: int = 0) -> Gathered:
    """Return the same with every run's points turned by two degrees about the object."""
    rng = np.random.default_rng(seed)
    samples = []
    for s in gathered.samples:
        R = Rotation.from_rotvec(rng.normal(0, np.deg2rad(2), 3)).as_matrix()
        samples.append(replace(s, seen=(s.seen - s.seen.mean(0)) @ R.T + s.seen.mean(0)))
    return replace(gathered, samples=tuple(samples))


def test_an_exact_scene_is_solved() -> None:
    solution = gauss_newton_align(small_gathered(5), GaussNewton())
    turn, place = errors(solution)
    assert turn < 0.02
    assert place < 1e-3
    np.testing.assert_allclose(solution.K[:, 0, 0], FOCAL, rtol=1e-4)
    assert solution.notices == ()
    assert solution.figures["share within 2 px"] == 1


def test_a_start_two_degrees_off_ends_at_the_same_answer() -> None:
    solution = gauss_newton_align(noisy(small_gathered(5)), GaussNewton())
    turn, place = errors(solution)
    assert turn < 0.2
    assert place < 5e-3


def test_dense_depths_are_those_of_the_scene() -> None:
    gathered = small_gathered(3)
    solution = gauss_newton_align(gathered, GaussNewton())
    depths = [block_depth(*view) for view in zip(gathered.views, solution.log_size, solution.log_offset)]
    ratio = torch.stack([depth / view.depth for depth, view in zip(depths, gathered.views)])
    assert float(ratio.std() / ratio.mean()) < 1e-3


def test_views_in_another_order_give_the_same_scene() -> None:
    gathered = noisy(small_gathered(5))
    order = np.array([3, 0, 4, 1, 2])  # new from old position
    old = {int(view): k for k, view in enumerate(order)}
    samples = tuple(replace(s, frame=old[s.frame], other=old[s.other]) for s in gathered.samples)
    records = tuple(replace(r, a=old[r.a], b=old[r.b]) for r in gathered.records)
    shuffled = replace(
        gathered, views=tuple(gathered.views[k] for k in order), records=records[::-1], samples=samples[::-1]
    )
    first, second = (gauss_newton_align(g, GaussNewton()) for g in (gathered, shuffled))
    relative = [s.cam_from_world @ np.linalg.inv(s.cam_from_world[k]) for s, k in ((first, 3), (second, 0))]
    unit = np.exp(first.log_size[3] - second.log_size[0])
    relative[1][:, :3, 3] *= unit
    np.testing.assert_allclose(relative[1], relative[0][order], atol=1e-7)


def test_matches_in_another_order_change_rounding_only() -> None:
    gathered = noisy(small_gathered(4))
    rng = np.random.default_rng(0)
    records = []
    for r in gathered.records:
        turn = torch.from_numpy(rng.permutation(len(r.conf)))
        records.append(replace(r, xy_a=r.xy_a[turn], xy_b=r.xy_b[turn], conf=r.conf[turn]))
    first, second = (
        gauss_newton_align(g, GaussNewton()) for g in (gathered, replace(gathered, records=tuple(records)))
    )
    np.testing.assert_allclose(second.cam_from_world, first.cam_from_world, atol=1e-10)


def test_what_lies_off_the_object_changes_no_bit() -> None:
    gathered = small_gathered(4)
    hidden = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    hidden[:8] = True

    def spoiled(junk: float) -> Gathered:
        views, samples = [], []
        for view in gathered.views:
            depth = torch.where(hidden, junk, view.depth)
            anchors = view.anchor_depth.clone()
            anchors[0] = torch.nan
            views.append(
                replace(
                    view,
                    depth=depth,
                    valid=~hidden,
                    anchor_depth=anchors,
                    depth_ratio=torch.where(hidden, junk, view.depth_ratio),
                )
            )
        for s in gathered.samples:
            off = np.arange(len(s.weight)) < WIDTH // 8
            points = [np.where(off[:, None], junk, p) for p in (s.own, s.seen)]
            samples.append(replace(s, own=points[0], seen=points[1], weight=np.where(off, 0, s.weight)))
        return replace(gathered, views=tuple(views), samples=tuple(samples))

    clean, dirty = (gauss_newton_align(spoiled(junk), GaussNewton()) for junk in (1.0, np.nan))
    np.testing.assert_array_equal(dirty.cam_from_world, clean.cam_from_world)
    np.testing.assert_array_equal(dirty.log_size, clean.log_size)
    np.testing.assert_array_equal(dirty.K, clean.K)


def test_a_view_without_matches_stands_where_its_pairs_put_it_and_is_named() -> None:
    solution = gauss_newton_align(without_matches(small_gathered(5), 2), GaussNewton())
    turn, _ = errors(solution)
    assert turn < 0.1
    assert [n.subject for n in solution.notices] == ["2.png"]
    sigma = solution.figures["sigma rotation deg"]
    assert sigma[2] > 2
    assert max(np.delete(sigma, 2)) < 1


def test_known_intrinsics_are_held() -> None:
    K = intrinsics().clone()
    K[0, 0], K[1, 1] = 49.0, 51.0
    solution = gauss_newton_align(small_gathered(3), GaussNewton(), Known(K=dict.fromkeys(range(3), K)))
    np.testing.assert_allclose(solution.K, np.tile(K.numpy(), (3, 1, 1)))


def test_only_views_of_one_camera_share_a_focal() -> None:
    gathered = small_gathered(4)
    gathered = replace(
        gathered, predictions=replace(gathered.predictions, views=tuple(small_views(4, "abab")))
    )
    focal = gauss_newton_align(noisy(gathered), GaussNewton(log_focal_sigma=0.1)).K[:, 0, 0]
    assert focal[0] == focal[2] != focal[1] == focal[3]


@pytest.mark.parametrize("unit", [1.0, 7.0])
def test_given_poses_set_the_world_and_its_unit(unit: float) -> None:
    poses = torch.from_numpy(TRUE.copy())
    poses[:, :3, 3] *= unit
    gathered = small_gathered(5)
    solution = gauss_newton_align(
        noisy(gathered), GaussNewton(), Known(cam_from_world=dict(enumerate(poses)))
    )
    np.testing.assert_allclose(solution.cam_from_world[:, :3, :3], TRUE[:, :3, :3], atol=0.01)
    np.testing.assert_allclose(solution.cam_from_world[:, :3, 3] / unit, TRUE[:, :3, 3], atol=0.1)
    np.testing.assert_allclose(np.exp(solution.log_size), unit, rtol=0.02)


def test_frozen_poses_stay() -> None:
    poses = dict(enumerate(torch.from_numpy(TRUE)))
    solution = gauss_newton_align(
        noisy(small_gathered(5)), GaussNewton(freeze_given=True), Known(cam_from_world=poses)
    )
    np.testing.assert_allclose(solution.cam_from_world, TRUE, atol=1e-12)
    np.testing.assert_allclose(np.exp(solution.log_size), 1, rtol=5e-3)


@pytest.mark.parametrize("given", [[0, 3], [2]])
def test_views_without_a_given_pose_find_their_place_beside_frozen_ones(given: list[int]) -> None:
    poses = {view: torch.from_numpy(TRUE[view]) for view in given}
    solution = gauss_newton_align(
        noisy(small_gathered(5)), GaussNewton(freeze_given=True), Known(cam_from_world=poses)
    )
    np.testing.assert_array_equal(solution.cam_from_world[given], TRUE[given])
    turn, place = errors(solution)
    assert turn < 0.5
    assert place < 0.01


def test_depths_of_wholly_frozen_views_stay() -> None:
    gathered = small_gathered(5)
    frozen = [0, 4]
    # Off by more than the matches would believe, and by other factors from block to block.
    depth = {
        view: 1.02
        * gathered.views[view].anchor_depth
        * torch.linspace(0.99, 1.01, 24, dtype=torch.float64).reshape(4, 6)
        for view in frozen
    }
    known = Known(
        cam_from_world={v: torch.from_numpy(TRUE[v]) for v in frozen},
        anchor_depth=depth,
        freeze=dict.fromkeys(frozen, 1.0),
    )
    solution = gauss_newton_align(noisy(gathered), GaussNewton(), known)
    np.testing.assert_allclose(solution.cam_from_world[frozen], TRUE[frozen], atol=1e-12)
    for view in frozen:
        found = gathered.views[view].anchor_depth.numpy() * np.exp(
            solution.log_size[view] + solution.log_offset[view]
        )
        seen = np.isfinite(found)
        np.testing.assert_allclose(found[seen], depth[view].numpy()[seen], rtol=1e-6)


def test_a_wrong_start_does_not_hold_a_view_off_its_matches() -> None:
    gathered = small_gathered(5)
    wrong = Rotation.from_euler("xyz", [20, 150, 40], degrees=True).as_matrix()
    turns = {(0, other): wrong for other in range(1, 5)} | {(other, 0): wrong.T for other in range(1, 5)}
    samples = [
        replace(s, seen=_turned(s.seen, turns.get((s.frame, s.other), np.eye(3)))) for s in gathered.samples
    ]
    solution = gauss_newton_align(replace(gathered, samples=tuple(samples)), GaussNewton())
    turn, place = errors(solution)
    assert turn < 0.5
    assert place < 0.01
    assert solution.figures["share within 2 px"] == 1


def _turned(points: np.ndarray, turn: np.ndarray) -> np.ndarray:
    return (points - points.mean(0)) @ turn.T + points.mean(0)


def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = (gauss_newton_align(noisy(small_gathered(4)), GaussNewton()) for _ in range(2))
    assert first.cam_from_world.tobytes() == second.cam_from_world.tobytes()
