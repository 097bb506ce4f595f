from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_scene import CHAIN, HEIGHT, VIEWS, WIDTH, intrinsics, random_state, small_problem

from align.depth_maps.clean import CleanOptions, clean
from align.depth_maps.dense_view import DenseView
from align.depth_maps.triangulation import matches_to_depth, triangulate
from align.measurements.canonical import anchor_at
from align.measurements.known_cameras import Known
from align.pinhole import backproject
from align.sparse.camera_chain import anchored_points, place, start_from_poses
from align.sparse.densify import densify
from align.sparse.low_rank import LowRank
from align.sparse.options import ALIGNER_FUNCTION, DepthModel
from align.sparse.start import start


@pytest.fixture(scope="module")
def true_state():
    """Views, their dense points at the true cameras, and these cameras."""
    views, problem, poses = small_problem(VIEWS)
    parameters, chain = start(
        problem, CHAIN, ALIGNER_FUNCTION, Known(K=dict.fromkeys(range(VIEWS), intrinsics()))
    )
    placement = place(*start_from_poses(parameters, chain, poses, problem.anchor_depth, problem.anchor_valid))
    return densify(views, placement, chain), placement


def test_dense_points_at_matched_pixels_are_the_anchored_points():
    views, problem, _ = small_problem(VIEWS)
    pixel = problem.point_xy.round()
    index = [anchor_at(view, xy) for view, xy in zip(views, pixel.split(problem.point_start.diff().tolist()))]
    whole = replace(problem, point_xy=pixel, point_ratio=torch.cat([ratio for _, ratio, _ in index]))
    parameters, chain = random_state(problem, 3)
    placement = place(parameters, chain)
    dense = densify(views, placement, chain)
    points = anchored_points(placement, chain, whole)
    for view in range(VIEWS):
        own = problem.point_view == view
        x, y = whole.point_xy[own].long().unbind(1)
        torch.testing.assert_close(dense[view].points[y, x], points[own], rtol=1e-12, atol=1e-12)


def test_dense_views_have_no_points_outside_the_mask():
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[8:20, 10:30] = True
    views, problem, _ = small_problem(VIEWS, mask=mask)
    parameters, chain = start(problem, CHAIN, ALIGNER_FUNCTION)
    for view in densify(views, place(parameters, chain), chain):
        assert torch.equal(torch.isfinite(view.depth), mask)
        assert torch.equal(torch.isfinite(view.points).all(-1), mask)


def test_true_points_contradict_nothing(true_state):
    dense, placement = true_state
    cleaned = clean(dense, placement.K, placement.cam_from_world, CleanOptions(tolerance=0.02))
    for before, after in zip(dense, cleaned):
        assert torch.equal(before.conf, after.conf)


def test_a_point_in_front_of_the_surface_loses_its_confidence_and_nothing_else_does(true_state):
    dense, placement = true_state
    depth, conf = dense[2].depth.clone(), dense[2].conf.clone()
    depth[16, 24] *= 0.8
    conf[16, 24] /= 2
    points = backproject(depth, placement.K[2], placement.world_from_cam[2])
    floating = [*dense[:2], DenseView(points, depth, conf), *dense[3:]]
    cleaned = clean(floating, placement.K, placement.cam_from_world, CleanOptions(tolerance=0.02))
    assert cleaned[2].conf[16, 24] == 0
    assert floating[2].conf[16, 24] > 0
    conf[16, 24] = 0
    assert torch.equal(cleaned[2].conf, conf)


def test_pixels_without_a_point_neither_contradict_nor_are_contradicted(true_state):
    dense, placement = true_state
    holes = [
        DenseView(view.points * torch.nan, view.depth * torch.nan, view.conf) if k == 1 else view
        for k, view in enumerate(dense)
    ]
    for before, after in zip(
        holes, clean(holes, placement.K, placement.cam_from_world, CleanOptions(tolerance=0.02))
    ):
        assert torch.equal(before.conf, after.conf)


def test_triangulation_finds_exact_points_and_leaves_unseen_ones_out():
    _, _, poses = small_problem(VIEWS)
    K = intrinsics().repeat(VIEWS, 1, 1)
    points = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.3
    in_cam = points @ poses[:, :3, :3].mT + poses[:, None, :3, 3]
    xy = (in_cam @ K.mT)[..., :2] / in_cam[..., 2:]
    xy[2, 4] = torch.nan
    found = triangulate((K @ poses[:, :3])[None], xy[None])[0]
    keep = torch.arange(7) != 4
    torch.testing.assert_close(found[keep], points[keep])
    assert bool(found[4].isnan().all())


def test_depth_from_matches_counts_the_pairs_with_a_match_and_leaves_its_input_alone(true_state):
    dense, placement = true_state
    K, poses = placement.K[None], placement.cam_from_world[None]
    y, x = torch.meshgrid(torch.arange(HEIGHT).double(), torch.arange(WIDTH).double(), indexing="ij")
    matches = torch.zeros(1, VIEWS - 1, HEIGHT, WIDTH, 5).double()
    matches[0, ..., 0], matches[0, ..., 1] = x, y
    for k in range(1, VIEWS):
        in_cam = dense[0].points @ poses[0, k, :3, :3].T + poses[0, k, :3, 3]
        matches[0, k - 1, ..., 2:4] = (in_cam @ K[0, k].T)[..., :2] / in_cam[..., 2:]
        matches[0, k - 1, ..., 4] = k
    matches[0, 0, 0, 0, 2] = torch.nan
    matches[0, :, 5, 5, 2] = torch.nan
    kept = matches.clone()
    result = matches_to_depth(K, poses, matches)
    assert torch.equal(matches.nan_to_num(-1), kept.nan_to_num(-1))
    holes = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    holes[5, 5] = True
    assert torch.equal(result.depth[0].isnan(), holes)
    torch.testing.assert_close(result.depth[0][~holes], dense[0].depth[~holes], rtol=1e-8, atol=0)
    assert result.conf[0, 0, 0] == 9
    assert result.conf[0, 1, 1] == 10


def test_a_full_low_rank_basis_reproduces_the_depths():
    _, problem, _ = small_problem(3)
    options = replace(ALIGNER_FUNCTION, depth=DepthModel(low_rank=LowRank(num_coefficients=24)))
    tree = replace(CHAIN, root=0, edges=((0, 1), (1, 2)))
    flat = place(*start(problem, tree, ALIGNER_FUNCTION)).anchor_depth
    # Coefficients are stored in single precision.
    torch.testing.assert_close(place(*start(problem, tree, options)).anchor_depth, flat, rtol=1e-5, atol=0)
