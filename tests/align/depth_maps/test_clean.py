"""Cleaning compares a view with those that can see it; a loop over all pairs says what must come out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from align.depth_maps.clean import CleanOptions, clean
from align.depth_maps.dense_view import DenseView
from align.depth_maps.overlap import views_to_compare
from align.pinhole import backproject, nearest_pixel

HEIGHT, WIDTH, FOCAL, DISTANCE = 30, 40, 45.0, 4.0
K = torch.tensor([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]], dtype=torch.float64)


def plain_clean(
    dense: list[DenseView], K: Tensor, cam_from_world: Tensor, options: CleanOptions
) -> list[Tensor]:
    """Compare every view with every other, one after the other, pixel for pixel."""
    confs = [view.conf.clone() for view in dense]
    for i, view in enumerate(dense):
        for j, other in enumerate(dense):
            if i == j:
                continue
            in_cam = view.points @ cam_from_world[j, :3, :3].T + cam_from_world[j, :3, 3]
            pixel, inside = nearest_pixel(in_cam, K[j], (other.depth.shape[1], other.depth.shape[0]))
            visible = inside & (in_cam[..., 2] > 0)
            in_front = in_cam[..., 2] < (1 - options.tolerance) * other.depth.flatten()[pixel]
            bad = visible & in_front & (confs[i] < confs[j].flatten()[pixel])
            confs[i] = torch.where(bad, confs[i].clamp(max=options.bad_conf), confs[i])
    return confs


def turned(angle_rad: float) -> Tensor:
    """Return the pose of a camera that looks at the middle from so far around."""
    pose = torch.eye(4, dtype=torch.float64)
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    pose[:3, :3] = torch.tensor([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    pose[2, 3] = DISTANCE
    return pose


def noisy_ring(num_views: int, noise: float = 0.01) -> tuple[list[DenseView], Tensor, Tensor]:
    """Return views of a unit ball from around it, K and poses. Depths err by a share of themselves, a few by
    twenty times as much; confidences are random.
    """
    generator = torch.Generator().manual_seed(0)
    poses = torch.stack([turned(2 * np.pi * k / num_views) for k in range(num_views)])
    ray = backproject(torch.ones(HEIGHT, WIDTH, dtype=torch.float64), K, torch.eye(4, dtype=torch.float64))
    square = (ray**2).sum(-1)
    root = (DISTANCE**2 - square * (DISTANCE**2 - 1)).sqrt()  # NaN beside the ball
    dense = []
    for pose in poses:
        error = noise * torch.randn(HEIGHT, WIDTH, generator=generator, dtype=torch.float64)
        flying = torch.rand(HEIGHT, WIDTH, generator=generator, dtype=torch.float64) < 0.05
        depth = (DISTANCE - root) / square * (1 + torch.where(flying, 20, 1) * error)
        conf = 1 + torch.rand(HEIGHT, WIDTH, generator=generator, dtype=torch.float64)
        dense.append(DenseView(backproject(depth, K, torch.linalg.inv(pose)), depth, conf))
    return dense, K.repeat(num_views, 1, 1), poses


@pytest.mark.parametrize("options", [CleanOptions(), CleanOptions(0.01), CleanOptions(0.02, bad_conf=1.2)])
def test_the_result_is_that_of_comparing_all_with_all(options: CleanOptions) -> None:
    ring = noisy_ring(9)
    cleaned, plain = clean(*ring, options), plain_clean(*ring, options)
    assert all(torch.equal(view.conf, conf) for view, conf in zip(cleaned, plain))
    changed = (
        torch.stack([view.conf != before.conf for view, before in zip(cleaned, ring[0])]).double().mean()
    )
    assert 0.03 < changed < 0.9
    assert all(
        torch.equal(view.depth.nan_to_num(), before.depth.nan_to_num())
        for view, before in zip(cleaned, ring[0])
    )


def test_views_that_see_nothing_of_each_other_and_points_anywhere_change_nothing_of_that() -> None:
    dense, K, poses = noisy_ring(6)
    away = poses.clone()
    away[3, :3] *= torch.tensor([[-1.0], [1.0], [-1.0]])  # turned round on the spot
    points = dense[0].points.clone()
    inside = torch.isfinite(dense[0].depth).nonzero()
    centre = -poses[2, :3, :3].T @ poses[2, :3, 3]
    # At a camera's centre, in its plane, behind it, and on a line between two pixels.
    odd = [
        torch.zeros(3),
        torch.tensor([1.0, 0.5, 0]),
        torch.tensor([0, 0, -1.0]),
        torch.tensor([0.5, 0.5, FOCAL]),
    ]
    for (row, column), place in zip(inside, odd):
        points[row, column] = centre + poses[2, :3, :3].T @ place.double()
    dense[0] = replace(dense[0], points=points)
    dense[4] = DenseView(dense[4].points * torch.nan, dense[4].depth * torch.nan, dense[4].conf)
    cleaned, plain = (
        clean(dense, K, away, CleanOptions(0.01)),
        plain_clean(dense, K, away, CleanOptions(0.01)),
    )
    assert all(torch.equal(view.conf, conf) for view, conf in zip(cleaned, plain))


def compared(dense: list[DenseView], K: Tensor, poses: Tensor, most_views: int | None) -> list[np.ndarray]:
    """Return what each view is compared with."""
    clouds = [view.points[torch.isfinite(view.depth)].T.numpy() for view in dense]
    sizes = np.array([[WIDTH, HEIGHT]] * len(dense))
    return views_to_compare(clouds, (K @ poses[:, :3]).numpy(), sizes, most_views)


def test_a_view_is_not_compared_with_those_whose_picture_its_points_miss() -> None:
    dense, K, poses = noisy_ring(6)
    poses[3, :3] *= torch.tensor([[-1.0], [1.0], [-1.0]])
    aside = K.clone()
    aside[1, 0, 2] += 3 * WIDTH
    others = [set(numbers.tolist()) for numbers in compared(dense, aside, poses, None)]
    assert others[0] == {2, 4, 5}
    assert others[3] == {0, 2, 4, 5}


def test_of_many_views_those_that_stand_farthest_apart_are_enough() -> None:
    ring = noisy_ring(64)
    others = compared(*ring, 8)
    assert [len(numbers) for numbers in others] == [8] * 64
    for numbers in others:
        steps = np.diff(np.sort(numbers), append=np.sort(numbers)[0] + 64)
        assert steps.max() <= 17
        assert steps.min() >= 3
    assert all(view not in numbers for view, numbers in enumerate(others))


def test_a_point_in_the_air_is_found_with_few_views_as_with_all() -> None:
    dense, K, poses = noisy_ring(64, noise=0.0)
    air = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    air[6:-6:4, 10:-10:4] = True
    depth, conf = torch.where(air, 0.9 * dense[0].depth, dense[0].depth), torch.where(air, 0.5, dense[0].conf)
    dense[0] = DenseView(backproject(depth, K[0], torch.linalg.inv(poses[0])), depth, conf)
    few, every = (clean(dense, K, poses, CleanOptions(0.02, most_views=most)) for most in (16, None))
    assert (few[0].conf[air & torch.isfinite(depth)] == 0).all()
    # At the rim pixels are too coarse for the surface, and right points are lost: the fewer, the better.
    lost_to_few, lost_to_all = (
        int(torch.stack([view.conf == 0 for view in views]).sum()) for views in (few, every)
    )
    assert lost_to_few < 0.7 * lost_to_all
