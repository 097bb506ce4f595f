"""Averages of pair poses, and how far each pair is trusted."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import combinations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from small_measurements import CENTRE, small_measurements
from small_scene import cam_from_world

from align.bundle.bundle_alignment import median_depths
from align.initial.loop_consistency import edge_weights, loop_consistency, triplets_of
from align.initial.motion_averaging import averaged_start
from align.initial.relative_poses import RelativePoses, measure_relative_poses
from align.measurements.gathered import Measurements
from masks.errors import GraphError


def measured(measurements: Measurements) -> RelativePoses:
    centres = CENTRE.expand(len(measurements.views), 2)
    return measure_relative_poses(measurements, median_depths(measurements.views), centres)


def turned(pairs: RelativePoses, edge: int, degrees: float) -> RelativePoses:
    """Return the pairs with one relative pose turned about x."""
    R = pairs.R_i_from_j.copy()
    R[edge] = Rotation.from_euler("x", degrees, degrees=True).as_matrix() @ R[edge]
    return replace(pairs, R_i_from_j=R)


def rotation_error_deg(R: np.ndarray) -> float:
    """Return the largest error of relative rotations (V, 3, 3) against the true ones."""
    true = cam_from_world(len(R))[:, :3, :3].numpy()
    relative = R @ R[0].T @ true[0] @ true.transpose(0, 2, 1)
    return float(np.rad2deg(Rotation.from_matrix(relative).magnitude().max()))


def test_exact_pairs_give_the_exact_start() -> None:
    measurements = small_measurements(5)
    pairs = measured(measurements)
    start = averaged_start(pairs, triplets_of(pairs, 5), 5)
    assert rotation_error_deg(start.R_cam_from_world) < 1e-5
    median = median_depths(measurements.views)
    unit = np.exp(np.log(median).mean())
    np.testing.assert_allclose(start.log_scale, np.log(median / unit), atol=1e-7)
    centre = -np.einsum("vba,vb->va", start.R_cam_from_world, start.t_cam_from_world)
    true = np.linalg.inv(cam_from_world(5).numpy())[:, :3, 3]
    distances = [np.linalg.norm(c[:, None] - c[None], axis=-1) for c in (centre * unit, true)]
    np.testing.assert_allclose(*distances, atol=1e-6)
    assert not start.rejected.any()


def test_the_unit_of_a_single_run_changes_nothing() -> None:
    plain, scaled = (
        measured(small_measurements(4, unit=unit)) for unit in (None, {(1, 3): 1.3, (2, 0): 0.4})
    )
    np.testing.assert_allclose(scaled.log_ratio, plain.log_ratio, atol=1e-7)
    np.testing.assert_allclose(scaled.point_i, plain.point_i, atol=1e-7)
    np.testing.assert_allclose(scaled.R_i_from_j, plain.R_i_from_j, atol=1e-7)


def test_one_wrong_pair_is_rejected_and_moves_nothing() -> None:
    pairs = turned(measured(small_measurements(5)), 4, 60)
    start = averaged_start(pairs, triplets_of(pairs, 5), 5)
    assert np.flatnonzero(start.rejected).tolist() == [4]
    assert rotation_error_deg(start.R_cam_from_world) < 0.05


def test_pairs_that_hold_the_views_together_are_kept_however_wrong() -> None:
    edges = [(0, 1), (1, 2), (0, 2), (2, 3), (1, 3)]
    pairs = measured(small_measurements(4, edges))
    wrong = turned(turned(pairs, 3, 50), 4, -50)
    start = averaged_start(wrong, triplets_of(wrong, 4), 4)
    assert start.rejected.any() != start.rejection_skipped


def test_views_without_a_path_between_them_are_an_error() -> None:
    pairs = measured(small_measurements(4, [(0, 1), (2, 3)]))
    with pytest.raises(GraphError, match="separate parts"):
        averaged_start(pairs, triplets_of(pairs, 4), 4)


def test_a_pair_without_runs_is_measured_by_its_matches() -> None:
    measurements = small_measurements(3)
    without = replace(
        measurements, samples=tuple(s for s in measurements.samples if {s.target, s.source} != {0, 1})
    )
    found, expected = measured(without), measured(measurements)
    np.testing.assert_array_equal(found.pair, expected.pair)
    angle = Rotation.from_matrix(found.R_i_from_j @ expected.R_i_from_j.transpose(0, 2, 1)).magnitude()
    assert angle.max() < np.deg2rad(0.5)
    np.testing.assert_allclose(found.log_ratio, expected.log_ratio, atol=0.01)


def test_triangles_are_those_of_a_plain_search() -> None:
    edges = [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4), (0, 4)]
    pairs = turned(measured(small_measurements(5, edges)), 1, 30)
    found = triplets_of(pairs, 5)
    plain = [t for t in combinations(range(5), 3) if all(pair in edges for pair in combinations(t, 2))]
    assert sorted(map(tuple, np.sort(found.edges, 1))) == sorted(
        tuple(sorted(edges.index(p) for p in combinations(t, 2))) for t in plain
    )
    open_ones = {tuple(sorted(edge)) for edge, angle in zip(found.edges, found.angle_rad) if angle > 0.1}
    assert open_ones == {(0, 1, 2)}
    np.testing.assert_allclose(np.rad2deg(found.angle_rad.max()), 30, atol=1e-4)


def test_a_pair_whose_loops_do_not_close_is_trusted_less() -> None:
    pairs = measured(small_measurements(5))
    wrong = turned(pairs, 2, 40)
    before, after = (edge_weights(p, triplets_of(p, 5)) for p in (pairs, wrong))
    assert after[2] < 0.01 * before[2]
    assert np.delete(after, 2).min() > 0.1


def test_a_pair_without_a_loop_is_neither_good_nor_bad() -> None:
    pairs = measured(small_measurements(3, [(0, 1), (1, 2)]))
    assert loop_consistency(triplets_of(pairs, 3), np.ones(2)).tolist() == [0.5, 0.5]


def test_disagreeing_runs_weaken_their_pair() -> None:
    pairs = measured(small_measurements(4))
    doubtful = replace(
        pairs, disagreement_rad=np.where(np.arange(6) == 3, np.deg2rad(20), pairs.disagreement_rad)
    )
    before, after = (edge_weights(p, triplets_of(p, 4)) for p in (pairs, doubtful))
    assert after[3] < 0.2 * before[3]


def test_a_view_whose_pairs_cannot_be_measured_waits_beside_a_neighbour() -> None:
    pairs = measured(small_measurements(4))
    kept = (pairs.pair != 3).all(1)
    arrays = {field.name: getattr(pairs, field.name) for field in fields(pairs)}
    rest = {name: array[kept] for name, array in arrays.items() if name != "without_pose"}
    known, without = (
        RelativePoses(**rest, without_pose=without_pose)
        for without_pose in (pairs.pair[~kept], pairs.without_pose)
    )
    start = averaged_start(known, triplets_of(known, 4), 4)
    alone = averaged_start(measured(small_measurements(4)), triplets_of(pairs, 4), 4)
    relative, expected = (each.R_cam_from_world[1:3] @ each.R_cam_from_world[0].T for each in (start, alone))
    np.testing.assert_allclose(relative, expected, atol=1e-6)
    assert np.abs(start.R_cam_from_world[:3] - start.R_cam_from_world[3]).max((1, 2)).min() < 1e-6
    with pytest.raises(GraphError):
        averaged_start(without, triplets_of(without, 4), 4)
