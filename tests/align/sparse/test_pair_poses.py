"""Similarities of pairs, and the start that is chained from them."""

import numpy as np
import roma
import torch

from align.sparse.canonical import masked_canonical_view
from align.sparse.gather import RunSample, coarse_grid
from align.sparse.pair_poses import PointPairs, similarities, weighted_median
from align.sparse.spanning_tree import rooted_at
from align.sparse.tree_start import tree_start


def clouds(seed: int, num: int = 5, size: int = 60) -> tuple[PointPairs, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    source = torch.randn(num, size, 3, dtype=torch.float64, generator=generator)
    R = roma.random_rotmat(num, dtype=torch.float64, generator=generator)
    scale = torch.rand(num, dtype=torch.float64, generator=generator) + 0.5
    target = scale[:, None, None] * torch.einsum("rij,rsj->rsi", R, source) + torch.randn(num, 1, 3, dtype=torch.float64, generator=generator)
    return PointPairs(source, target, torch.rand(num, size, dtype=torch.float64, generator=generator) + 0.1), R, scale


def test_exact_similarities_are_found() -> None:
    points, R, scale = clouds(0)
    found = similarities(points)
    torch.testing.assert_close(found.R, R)
    torch.testing.assert_close(found.scale, scale)


def test_a_sixth_of_wrong_points_is_shrugged_off() -> None:
    points, R, _ = clouds(1)
    target = points.target.clone()
    target[:, ::6] += 3
    found = similarities(PointPairs(points.source, target, points.weight))
    assert roma.rotmat_geodesic_distance(found.R, R).max() < np.deg2rad(1)


def test_absent_points_may_hold_nan() -> None:
    points, _, _ = clouds(2)
    weight = points.weight.clone()
    weight[:, 40:] = 0
    clean = similarities(PointPairs(points.source[:, :40], points.target[:, :40], weight[:, :40]))
    source, target = points.source.clone(), points.target.clone()
    source[:, 40:], target[:, 40:] = torch.nan, torch.inf
    dirty = similarities(PointPairs(source, target, weight))
    torch.testing.assert_close(dirty.R, clean.R, rtol=0, atol=1e-12)
    torch.testing.assert_close(dirty.scale, clean.scale)


def test_a_list_without_weight_has_no_say() -> None:
    points, _, _ = clouds(3)
    found = similarities(PointPairs(points.source, points.target, points.weight * torch.tensor([1.0, 0, 1, 1, 1])[:, None]))
    assert torch.isinf(found.spread).tolist() == [False, True, False, False, False]
    torch.testing.assert_close(found.R[1], torch.eye(3, dtype=torch.float64))


def test_the_weighted_median_is_the_value_at_half_the_weight() -> None:
    values = torch.tensor([[5.0, 1.0, 3.0], [2.0, 9.0, 4.0]])
    assert weighted_median(values, torch.tensor([[1.0, 1, 1], [1, 10, 1]])).tolist() == [3.0, 9.0]
    assert weighted_median(values, torch.zeros(2, 3)).tolist() == [0.0, 0.0]


def test_the_tree_start_finds_poses_and_sizes_whatever_the_runs_scales() -> None:
    rng = np.random.default_rng(4)
    poses = [np.eye(4)]
    for turn in (0.3, -0.2):
        pose = np.eye(4)
        pose[:3, :3] = roma.rotvec_to_rotmat(torch.tensor([0.05, turn, 0.0], dtype=torch.float64)).numpy()
        pose[:3, 3] = rng.uniform(-0.3, 0.3, 3)
        poses.append(pose)
    own = [np.stack([*np.meshgrid(np.linspace(-1, 1, 32), np.linspace(-1, 1, 24)), 4 + rng.uniform(0, 1, (24, 32))], -1) for _ in poses]
    masks, pp = torch.ones(24, 32, dtype=torch.bool), torch.tensor([16.0, 12.0], dtype=torch.float64)
    conf = torch.full((1, 24, 32), 4.0, dtype=torch.float64)
    views = [masked_canonical_view(torch.from_numpy(points * 1.7)[None], conf, masks, pp) for points in own]  # a unit of their own
    samples = []
    for a, b in ((0, 1), (1, 2)):
        unit = dict(zip((a, b), rng.uniform(0.5, 2, 2)))  # every run comes in another scale
        for frame, other in ((a, b), (b, a)):
            frame_from_other = poses[frame] @ np.linalg.inv(poses[other])
            points = coarse_grid(own[other])
            seen = points @ frame_from_other[:3, :3].T + frame_from_other[:3, 3]
            samples.append(RunSample(frame, other, points * unit[other], seen * unit[frame], np.ones(len(points))))
    start = tree_start(views, samples, rooted_at(0, 3, [(0, 1), (1, 2)]))
    for found, true in zip(start.cam_from_world.numpy(), poses):
        np.testing.assert_allclose(found[:3, :3], true[:3, :3], atol=1e-8)
        np.testing.assert_allclose(found[:3, 3], true[:3, 3] * 1.7, atol=1e-7)
    np.testing.assert_allclose(start.size, 1, rtol=1e-8)
