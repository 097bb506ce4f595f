from __future__ import annotations

from dataclasses import replace

import pytest
import roma
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_scene import CHAIN, VIEWS, random_state, small_problem

from align.initial.spanning_tree import rooted_at
from align.sparse.camera_chain import anchored_points, place, start_from_poses
from align.sparse.options import ALIGNER_FUNCTION, DepthModel
from align.sparse.start import start


@pytest.fixture(scope="module")
def problem():
    return small_problem(VIEWS)[1]


@given(seed=st.integers(0, 10_000), combine=st.sampled_from(["add", "mul"]), exponential=st.booleans())
def test_inverse_chain_reproduces_any_cameras_and_depths(problem, seed, combine, exponential):
    options = replace(ALIGNER_FUNCTION, depth=DepthModel(combine, exponential))
    parameters, chain = random_state(problem, seed, options)
    generator = torch.Generator().manual_seed(seed)
    poses = torch.eye(4, dtype=torch.float64).repeat(VIEWS, 1, 1)
    poses[:, :3, :3] = roma.unitquat_to_rotmat(
        torch.nn.functional.normalize(torch.randn(VIEWS, 4, generator=generator, dtype=torch.float64), dim=1)
    )
    poses[:, :3, 3] = 3 * torch.randn(VIEWS, 3, generator=generator, dtype=torch.float64)
    depth = 1 + torch.rand(len(problem.anchor_depth), generator=generator, dtype=torch.float64)
    placement = place(*start_from_poses(parameters, chain, poses, depth, problem.anchor_valid))
    torch.testing.assert_close(placement.cam_from_world, poses, rtol=0, atol=1e-10)
    torch.testing.assert_close(placement.anchor_depth, depth, rtol=0, atol=1e-10)
    torch.testing.assert_close(placement.K, place(parameters, chain).K, rtol=0, atol=0)


@given(seed=st.integers(0, 10_000))
def test_chain_by_doubling_equals_the_walk_from_parent_to_child(problem, seed):
    parameters, chain = random_state(problem, seed)
    placement = place(parameters, chain)
    poses = torch.eye(4, dtype=torch.float64).repeat(VIEWS, 1, 1)
    poses[:, :3, :3] = roma.unitquat_to_rotmat(parameters.quat / parameters.quat.norm(dim=1, keepdim=True))
    poses[:, :3, 3] = parameters.t
    for parent, child in CHAIN.edges:
        poses[child] = poses[parent] @ poses[child]
    size, focal = parameters.log_scale.exp(), placement.K[:, 0, 0]
    pivot = torch.cat(
        [chain.size / focal[:, None] * (0.5 - parameters.principal_point), torch.ones(VIEWS, 1)], 1
    )
    pivot = pivot * (size * chain.pivot_depth * focal / chain.base_focal)[:, None]
    centre = (poses[:, :3, 3] - (poses[:, :3, :3] @ pivot[..., None])[..., 0]) / size.min()
    torch.testing.assert_close(placement.world_from_cam[:, :3, 3], centre, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(placement.world_from_cam[:, :3, :3], poses[:, :3, :3], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        placement.cam_from_world @ placement.world_from_cam, torch.eye(4).double().repeat(VIEWS, 1, 1)
    )


def test_exact_poses_and_depths_bring_matched_points_together(problem):
    _, problem, poses = small_problem(VIEWS)
    parameters, chain = start(problem, CHAIN, ALIGNER_FUNCTION)
    K_focal = torch.full_like(parameters.log_focal, 50.0).log()
    parameters, chain = (
        replace(parameters, log_focal=K_focal),
        replace(chain, base_focal=torch.full_like(chain.base_focal, 50.0)),
    )
    placement = place(*start_from_poses(parameters, chain, poses, problem.anchor_depth, problem.anchor_valid))
    points = anchored_points(placement, chain, problem)
    gap = (points[problem.match_points[:, 0]] - points[problem.match_points[:, 1]]).norm(dim=1)
    # Ends lie between pixels, and their depth is that of the nearest one.
    assert gap.median() < 5e-3


def test_equal_sizes_share_the_gradient_of_the_smallest_one(problem):
    parameters, chain = start(problem, CHAIN, ALIGNER_FUNCTION)
    log_scale = parameters.log_scale.requires_grad_()
    placement = place(replace(parameters, log_scale=log_scale), chain)
    (gradient,) = torch.autograd.grad(placement.depth_scale.sum() / chain.pivot_depth.mean(), log_scale)
    assert gradient.std() < 0.1
    assert abs(gradient.sum()) < 1e-12


def test_a_given_root_is_the_root():
    tree = rooted_at(3, 5, CHAIN.edges)
    assert tree.root == 3
    assert tree.edges == ((3, 4), (3, 2), (2, 1), (1, 0))
