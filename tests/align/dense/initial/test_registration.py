import roma
import torch
from hypothesis import given
from hypothesis import strategies as st

from align.dense.initial.registration import (
    Similarity,
    after,
    carry_points,
    move_camera,
    register_cameras,
    register_points,
    rigid_part,
)


def _drawn(seed: int) -> tuple[Similarity, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(7, generator=generator, dtype=torch.float64)
    return Similarity(x[0].exp(), roma.rotvec_to_rotmat(x[1:4]), 5 * x[4:7]), generator


def _poses(count: int, generator: torch.Generator) -> torch.Tensor:
    poses = torch.eye(4).double().repeat(count, 1, 1)
    poses[:, :3, :3] = roma.random_rotmat(count, dtype=torch.float64, generator=generator)
    poses[:, :3, 3] = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return poses


def _assert_same(found: Similarity | None, expected: Similarity, atol: float = 1e-9) -> None:
    assert found is not None
    for name in ("scale", "R", "t"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), atol=atol, rtol=0)


@given(st.integers(0, 2**31))
def test_a_similarity_is_found_whatever_lies_where_the_weight_is_0(seed: int) -> None:
    truth, generator = _drawn(seed)
    source = torch.randn(5, 6, 3, generator=generator, dtype=torch.float64)
    target = carry_points(truth, source)
    weight = torch.rand(5, 6, generator=generator, dtype=torch.float64) + 0.1
    weight[1:3] = 0
    source[1], target[1], source[2] = torch.nan, torch.inf, 1e6
    _assert_same(register_points(source, target, weight), truth)


def test_noise_in_the_source_shrinks_the_scale_by_its_share_of_the_variance() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(20000, 3, generator=generator)
    source = target + torch.randn(20000, 3, generator=generator)
    found = register_points(source, target, torch.ones(20000))
    assert found is not None
    assert abs(found.scale - 0.5) < 0.01  # a symmetric scale would be 1 / sqrt(2)


def test_two_points_or_points_in_one_place_fix_nothing() -> None:
    points = torch.rand(4, 3)
    assert register_points(points, points, torch.tensor([1.0, 1, 0, 0])) is None
    assert register_points(points[:1].expand(4, 3), points, torch.ones(4)) is None
    assert register_points(points, points, torch.zeros(4)) is None


@given(st.integers(0, 2**31), st.integers(2, 6))
def test_cameras_are_carried_onto_those_of_another_world(seed: int, count: int) -> None:
    truth, generator = _drawn(seed)
    source = _poses(count, generator)
    target = source.clone()
    target[:, :3, :3] = truth.R @ source[:, :3, :3]
    target[:, :3, 3] = carry_points(truth, source[:, :3, 3])
    _assert_same(register_cameras(source, target), truth, atol=1e-6)


def test_cameras_in_one_place_have_no_scale_and_one_camera_moves_onto_another() -> None:
    _, generator = _drawn(1)
    source, target = _poses(3, generator), _poses(3, generator)
    assert register_cameras(source[:1], target[:1]) is None
    target[:, :3, 3] = target[0, :3, 3]
    assert register_cameras(source, target) is None
    moved = rigid_part(move_camera(source[0], target[0])) @ source[0]
    torch.testing.assert_close(moved, target[0])


@given(st.integers(0, 2**31))
def test_one_similarity_after_another_carries_points_twice(seed: int) -> None:
    inner, generator = _drawn(seed)
    outer, _ = _drawn(seed + 1)
    points = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(
        carry_points(after(outer, inner), points), carry_points(outer, carry_points(inner, points))
    )
