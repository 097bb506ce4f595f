"""The truth's frame and unit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from pairs.train.vggt_scene import SceneTruth, mean_distance, normalised_scene, rebased


def scene(seed: int, batch_size: int = 2, num_frames: int = 3) -> SceneTruth:
    """Return scenes of 5 x 6 pixels whose points project to their pixels."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch_size, num_frames)

    def draw(*more: int) -> torch.Tensor:
        return torch.randn(*shape, *more, generator=generator, dtype=torch.float64)

    R = roma.special_gramschmidt(draw(3, 2))
    t = draw(3, 1)
    depth = 1 + draw(5, 6).exp()
    K = torch.tensor([[6.0, 0, 3], [0, 6, 2.5], [0, 0, 1]], dtype=torch.float64).expand(*shape, 3, 3)
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    rays = torch.stack([(x - 3) / 6, (y - 2.5) / 6, torch.ones_like(x)], -1).double()
    points = torch.einsum("bsji,bshwj->bshwi", R, rays * depth[..., None] - t[..., 0][:, :, None, None])
    return SceneTruth(torch.cat([R, t], -1), K, points, depth, draw(5, 6) > -0.5)


def in_cameras(truth: SceneTruth) -> torch.Tensor:
    R, t = truth.cam_from_world[..., :3], truth.cam_from_world[..., 3]
    return torch.einsum("bsij,bshwj->bshwi", R, truth.world_points) + t[:, :, None, None]


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_a_normalised_scene_is_the_same_scene(seed):
    truth = scene(seed)
    done = normalised_scene(truth)
    eye = torch.eye(4, dtype=torch.float64)[:3].expand(2, 3, 4)
    assert_close(done.cam_from_world[:, 0], eye)
    assert_close(in_cameras(done)[..., 2], done.depth)
    scale = mean_distance(rebased(truth))
    assert_close(in_cameras(done) * scale[:, None, None, None, None], in_cameras(truth))


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_neither_the_world_nor_the_unit_of_a_scene_matters(seed, size):
    truth = scene(seed)
    generator = torch.Generator().manual_seed(seed + 1)
    R = roma.special_gramschmidt(torch.randn(3, 2, generator=generator, dtype=torch.float64))
    t = 5 * torch.randn(3, generator=generator, dtype=torch.float64)
    # The world becomes R x + t, and then `size` times larger.
    pose = truth.cam_from_world.clone()
    pose[..., :3] = truth.cam_from_world[..., :3] @ R.mT
    pose[..., 3] = size * (truth.cam_from_world[..., 3] - pose[..., :3] @ t)
    points = size * (truth.world_points @ R.mT + t)
    other = replace(truth, cam_from_world=pose, world_points=points, depth=truth.depth * size)
    assert_close(in_cameras(other), size * in_cameras(truth))
    one, same = normalised_scene(truth), normalised_scene(other)
    # Double precision throughout; the coordinates that cancel are some ten units large.
    for part in ("world_points", "depth", "cam_from_world"):
        assert_close(getattr(one, part), getattr(same, part), atol=1e-10, rtol=1e-10)


def test_the_mean_distance_is_that_of_the_valid_points_of_all_frames():
    truth = scene(0)
    far = truth.world_points[1][truth.valid[1]].norm(dim=-1)
    assert_close(mean_distance(truth)[1], far.sum() / (len(far) + 1e-3))


def test_a_scene_without_valid_points_stays_finite():
    truth = scene(0)
    empty = replace(truth, valid=torch.zeros_like(truth.valid), depth=truth.depth * torch.nan)
    done = normalised_scene(empty)
    assert done.world_points.isfinite().all()
    assert (done.depth == 0).all()


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        replace(scene(0), depth=torch.zeros(2, 3, 5, 5))
