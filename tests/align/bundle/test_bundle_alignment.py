"""The default aligner on a small exact scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from small_measurements import small_measurements, small_views
from small_scene import FOCAL, HEIGHT, WIDTH, cam_from_world, intrinsics

from align.bundle.block_depth import block_depth
from align.bundle.bundle_alignment import BundleSolution, bundle_adjust
from align.bundle.options import BundleOptions
from align.measurements.gathered import Measurements
from align.measurements.known_cameras import Known, PosePrior

TRUE = cam_from_world(5).numpy()


def errors(solution: BundleSolution, order: np.ndarray | None = None) -> tuple[float, float]:
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


def without_matches(measurements: Measurements, view: int) -> Measurements:
    """Return the same with the view's matches gone."""
    records = [
        replace(r, xy_a=r.xy_a[:0], xy_b=r.xy_b[:0], conf=r.conf[:0]) if view in (r.a, r.b) else r
        for r in measurements.records
    ]
    return replace(measurements, records=tuple(records))


def noisy(measurements: Measurements, seed: int = 0) -> Measurements:
    """Return the same with every run's points turned by two degrees about the object."""
    rng = np.random.default_rng(seed)
    samples = []
    for s in measurements.samples:
        R = Rotation.from_rotvec(rng.normal(0, np.deg2rad(2), 3)).as_matrix()
        samples.append(replace(s, in_target=(s.in_target - s.in_target.mean(0)) @ R.T + s.in_target.mean(0)))
    return replace(measurements, samples=tuple(samples))


def test_an_exact_scene_is_solved() -> None:
    solution = bundle_adjust(small_measurements(5), BundleOptions())
    turn, place = errors(solution)
    assert turn < 0.02
    assert place < 1e-3
    np.testing.assert_allclose(solution.K[:, 0, 0], FOCAL, rtol=1e-4)
    assert solution.notices == ()
    assert solution.figures["share within 2 px"] == 1


def test_a_start_two_degrees_off_ends_at_the_same_answer() -> None:
    solution = bundle_adjust(noisy(small_measurements(5)), BundleOptions())
    turn, place = errors(solution)
    assert turn < 0.2
    assert place < 5e-3


def test_dense_depths_are_those_of_the_scene() -> None:
    measurements = small_measurements(3)
    solution = bundle_adjust(measurements, BundleOptions())
    depths = [block_depth(*view) for view in zip(measurements.views, solution.log_scale, solution.log_offset)]
    ratio = torch.stack([depth / view.depth for depth, view in zip(depths, measurements.views)])
    assert float(ratio.std() / ratio.mean()) < 1e-3


def test_views_in_another_order_give_the_same_scene() -> None:
    measurements = noisy(small_measurements(5))
    order = np.array([3, 0, 4, 1, 2])  # new from old position
    old = {int(view): k for k, view in enumerate(order)}
    samples = tuple(replace(s, target=old[s.target], source=old[s.source]) for s in measurements.samples)
    records = tuple(replace(r, a=old[r.a], b=old[r.b]) for r in measurements.records)
    shuffled = replace(
        measurements,
        views=tuple(measurements.views[k] for k in order),
        records=records[::-1],
        samples=samples[::-1],
    )
    first, second = (bundle_adjust(g, BundleOptions()) for g in (measurements, shuffled))
    relative = [s.cam_from_world @ np.linalg.inv(s.cam_from_world[k]) for s, k in ((first, 3), (second, 0))]
    unit = np.exp(first.log_scale[3] - second.log_scale[0])
    relative[1][:, :3, 3] *= unit
    np.testing.assert_allclose(relative[1], relative[0][order], atol=1e-7)


def test_matches_in_another_order_change_rounding_only() -> None:
    measurements = noisy(small_measurements(4))
    rng = np.random.default_rng(0)
    records = []
    for r in measurements.records:
        turn = torch.from_numpy(rng.permutation(len(r.conf)))
        records.append(replace(r, xy_a=r.xy_a[turn], xy_b=r.xy_b[turn], conf=r.conf[turn]))
    first, second = (
        bundle_adjust(g, BundleOptions())
        for g in (measurements, replace(measurements, records=tuple(records)))
    )
    np.testing.assert_allclose(second.cam_from_world, first.cam_from_world, atol=1e-10)


def test_what_lies_off_the_object_changes_no_bit() -> None:
    measurements = small_measurements(4)
    hidden = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    hidden[:8] = True

    def spoiled(junk: float) -> Measurements:
        views, samples = [], []
        for view in measurements.views:
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
        for s in measurements.samples:
            off = np.arange(len(s.weight)) < WIDTH // 8
            points = [np.where(off[:, None], junk, p) for p in (s.in_source, s.in_target)]
            samples.append(
                replace(s, in_source=points[0], in_target=points[1], weight=np.where(off, 0, s.weight))
            )
        return replace(measurements, views=tuple(views), samples=tuple(samples))

    clean, dirty = (bundle_adjust(spoiled(junk), BundleOptions()) for junk in (1.0, np.nan))
    np.testing.assert_array_equal(dirty.cam_from_world, clean.cam_from_world)
    np.testing.assert_array_equal(dirty.log_scale, clean.log_scale)
    np.testing.assert_array_equal(dirty.K, clean.K)


def test_a_view_without_matches_stands_where_its_pairs_put_it_and_is_named() -> None:
    solution = bundle_adjust(without_matches(small_measurements(5), 2), BundleOptions())
    turn, _ = errors(solution)
    assert turn < 0.1
    assert [n.subject for n in solution.notices] == ["2.png"]
    sigma = solution.figures["sigma rotation deg"]
    assert sigma[2] > 2
    assert max(np.delete(sigma, 2)) < 1


def test_known_intrinsics_are_held() -> None:
    K = intrinsics().clone()
    K[0, 0], K[1, 1] = 49.0, 51.0
    solution = bundle_adjust(small_measurements(3), BundleOptions(), Known(K=dict.fromkeys(range(3), K)))
    np.testing.assert_allclose(solution.K, np.tile(K.numpy(), (3, 1, 1)))


def test_only_views_of_one_camera_share_a_focal() -> None:
    measurements = small_measurements(4)
    measurements = replace(
        measurements, predictions=replace(measurements.predictions, views=tuple(small_views(4, "abab")))
    )
    focal = bundle_adjust(noisy(measurements), BundleOptions(log_focal_sigma=0.1)).K[:, 0, 0]
    assert focal[0] == focal[2] != focal[1] == focal[3]


@pytest.mark.parametrize("unit", [1.0, 7.0])
def test_given_poses_set_the_world_and_its_unit(unit: float) -> None:
    poses = torch.from_numpy(TRUE.copy())
    poses[:, :3, 3] *= unit
    measurements = small_measurements(5)
    solution = bundle_adjust(
        noisy(measurements), BundleOptions(), Known(cam_from_world=dict(enumerate(poses)))
    )
    np.testing.assert_allclose(solution.cam_from_world[:, :3, :3], TRUE[:, :3, :3], atol=0.01)
    np.testing.assert_allclose(solution.cam_from_world[:, :3, 3] / unit, TRUE[:, :3, 3], atol=0.1)
    np.testing.assert_allclose(np.exp(solution.log_scale), unit, rtol=0.02)


def test_frozen_poses_stay() -> None:
    poses = dict(enumerate(torch.from_numpy(TRUE)))
    solution = bundle_adjust(
        noisy(small_measurements(5)),
        BundleOptions(pose_prior=PosePrior(fixed=True)),
        Known(cam_from_world=poses),
    )
    np.testing.assert_allclose(solution.cam_from_world, TRUE, atol=1e-12)
    np.testing.assert_allclose(np.exp(solution.log_scale), 1, rtol=5e-3)


@pytest.mark.parametrize("given", [[0, 3], [2]])
def test_views_without_a_given_pose_find_their_place_beside_frozen_ones(given: list[int]) -> None:
    poses = {view: torch.from_numpy(TRUE[view]) for view in given}
    solution = bundle_adjust(
        noisy(small_measurements(5)),
        BundleOptions(pose_prior=PosePrior(fixed=True)),
        Known(cam_from_world=poses),
    )
    np.testing.assert_array_equal(solution.cam_from_world[given], TRUE[given])
    turn, place = errors(solution)
    assert turn < 0.5
    assert place < 0.01


def test_depths_of_wholly_frozen_views_stay() -> None:
    measurements = small_measurements(5)
    frozen = [0, 4]
    # Off by more than the matches would believe, and by other factors from block to block.
    depth = {
        view: 1.02
        * measurements.views[view].anchor_depth
        * torch.linspace(0.99, 1.01, 24, dtype=torch.float64).reshape(4, 6)
        for view in frozen
    }
    known = Known(
        cam_from_world={v: torch.from_numpy(TRUE[v]) for v in frozen},
        anchor_depth=depth,
        fixed=dict.fromkeys(frozen, 1.0),
    )
    solution = bundle_adjust(noisy(measurements), BundleOptions(), known)
    np.testing.assert_allclose(solution.cam_from_world[frozen], TRUE[frozen], atol=1e-12)
    for view in frozen:
        found = measurements.views[view].anchor_depth.numpy() * np.exp(
            solution.log_scale[view] + solution.log_offset[view]
        )
        seen = np.isfinite(found)
        np.testing.assert_allclose(found[seen], depth[view].numpy()[seen], rtol=1e-6)


def test_a_wrong_start_does_not_hold_a_view_off_its_matches() -> None:
    measurements = small_measurements(5)
    wrong = Rotation.from_euler("xyz", [20, 150, 40], degrees=True).as_matrix()
    turns = {(0, other): wrong for other in range(1, 5)} | {(other, 0): wrong.T for other in range(1, 5)}
    samples = [
        replace(s, in_target=_turned(s.in_target, turns.get((s.target, s.source), np.eye(3))))
        for s in measurements.samples
    ]
    solution = bundle_adjust(replace(measurements, samples=tuple(samples)), BundleOptions())
    turn, place = errors(solution)
    assert turn < 0.5
    assert place < 0.01
    assert solution.figures["share within 2 px"] == 1


def _turned(points: np.ndarray, turn: np.ndarray) -> np.ndarray:
    return (points - points.mean(0)) @ turn.T + points.mean(0)


def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = (bundle_adjust(noisy(small_measurements(4)), BundleOptions()) for _ in range(2))
    assert first.cam_from_world.tobytes() == second.cam_from_world.tobytes()
