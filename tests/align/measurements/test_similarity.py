"""Similarities of pairs, whatever is missing or wrong in them."""

import numpy as np
import roma
import torch

from align.measurements.similarity import Correspondences, register_similarities, weighted_median


def clouds(seed: int, num: int = 5, size: int = 60) -> tuple[Correspondences, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    source = torch.randn(num, size, 3, dtype=torch.float64, generator=generator)
    R = roma.random_rotmat(num, dtype=torch.float64, generator=generator)
    scale = torch.rand(num, dtype=torch.float64, generator=generator) + 0.5
    target = scale[:, None, None] * torch.einsum("rij,rsj->rsi", R, source) + torch.randn(
        num, 1, 3, dtype=torch.float64, generator=generator
    )
    return (
        Correspondences(
            source, target, torch.rand(num, size, dtype=torch.float64, generator=generator) + 0.1
        ),
        R,
        scale,
    )


def test_exact_similarities_are_found() -> None:
    points, R, scale = clouds(0)
    found, _ = register_similarities(points)
    torch.testing.assert_close(found.R, R)
    torch.testing.assert_close(found.scale, scale)


def test_a_sixth_of_wrong_points_is_shrugged_off() -> None:
    points, R, _ = clouds(1)
    target = points.target.clone()
    target[:, ::6] += 3
    found, _ = register_similarities(Correspondences(points.source, target, points.weight))
    assert roma.rotmat_geodesic_distance(found.R, R).max() < np.deg2rad(1)


def test_absent_points_may_hold_nan() -> None:
    points, _, _ = clouds(2)
    weight = points.weight.clone()
    weight[:, 40:] = 0
    clean, _ = register_similarities(
        Correspondences(points.source[:, :40], points.target[:, :40], weight[:, :40])
    )
    source, target = points.source.clone(), points.target.clone()
    source[:, 40:], target[:, 40:] = torch.nan, torch.inf
    dirty, _ = register_similarities(Correspondences(source, target, weight))
    torch.testing.assert_close(dirty.R, clean.R, rtol=0, atol=1e-12)
    torch.testing.assert_close(dirty.scale, clean.scale)


def test_a_list_without_weight_has_no_say() -> None:
    points, _, _ = clouds(3)
    found, residual = register_similarities(
        Correspondences(
            points.source, points.target, points.weight * torch.tensor([1.0, 0, 1, 1, 1])[:, None]
        )
    )
    assert torch.isinf(residual).tolist() == [False, True, False, False, False]
    torch.testing.assert_close(found.R[1], torch.eye(3, dtype=torch.float64))


def test_the_weighted_median_is_the_value_at_half_the_weight() -> None:
    values = torch.tensor([[5.0, 1.0, 3.0], [2.0, 9.0, 4.0]])
    assert weighted_median(values, torch.tensor([[1.0, 1, 1], [1, 10, 1]])).tolist() == [3.0, 9.0]
    assert weighted_median(values, torch.zeros(2, 3)).tolist() == [0.0, 0.0]
