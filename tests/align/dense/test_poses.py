import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from align.dense import poses
from align.dense.options import DenseOptions
from align.dense.parameters import Frozen

OPTIONS = DenseOptions()


def _rigid(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn((count, 7), generator=generator, dtype=torch.float64)
    return roma.rotvec_to_rotmat(2 * drawn[:, :3]), 3 * drawn[:, 3:6], drawn[:, 6].exp()


@given(st.integers(0, 2**31))
@settings(max_examples=50)
def test_what_is_written_is_read_again(seed: int) -> None:
    R, t, scale = _rigid(seed, 5)
    read = poses.view_poses(poses.pose_values(R, t))
    torch.testing.assert_close(read[:, :3], torch.cat([R, t[..., None]], 2))
    values = poses.pair_pose_values(R, t, scale)
    read = poses.pair_similarities(values, OPTIONS, normalised=False)
    torch.testing.assert_close(read[:, :3], torch.cat([scale[:, None, None] * R, t[..., None]], 2))
    assert (values[:, :4].gather(1, values[:, :4].abs().argmax(1, keepdim=True)) > 0).all()


@given(st.integers(0, 2**31))
@settings(max_examples=50)
def test_normalised_scales_have_the_wanted_mean_and_the_given_ratios(seed: int) -> None:
    _, _, scale = _rigid(seed, 7)
    values = poses.pair_pose_values(torch.eye(3).double().expand(7, 3, 3), torch.zeros(7, 3).double(), scale)
    found = poses.pair_scales(values, DenseOptions(base_scale=0.7), normalised=True)
    torch.testing.assert_close(found.log().mean().exp().item(), 0.7)
    torch.testing.assert_close(found / found[0], scale / scale[0])


def test_the_signed_logarithm_keeps_sign_and_small_numbers() -> None:
    x = torch.tensor([-3.0, -1e-9, 0, 1e-9, 20], dtype=torch.float64)
    torch.testing.assert_close(poses.signed_expm1(poses.signed_log1p(x)), x, rtol=1e-14, atol=0)


def test_one_known_pose_leaves_the_scale_open_and_two_set_it() -> None:
    assert poses.scale_is_normalised(Frozen(poses=frozenset({3})))
    assert not poses.scale_is_normalised(Frozen(poses=frozenset({0, 3})))


def test_principal_points_are_counted_from_half_the_size() -> None:
    sizes = ((4, 6), (10, 2))
    points = torch.tensor([[3.0, 2.0], [11.0, 5.0]])
    values = poses.principal_point_values(points, sizes)
    assert values.tolist() == [[0, 0], [1, 0]]
    assert torch.equal(poses.principal_points(values, sizes), points)


def test_a_seed_draws_what_the_global_generator_would() -> None:
    drawn = poses.random_parameters(((3, 5), (6, 4)), 2, DenseOptions(seed=9, separate_focals=True))
    with torch.random.fork_rng():
        torch.manual_seed(9)
        assert torch.equal(drawn.pair_poses, torch.randn(2, 8))
        assert torch.equal(drawn.log_depth[0], torch.randn(3, 5) / 10 - 3)
        assert torch.equal(drawn.log_depth[1], torch.randn(6, 4) / 10 - 3)
        assert torch.equal(drawn.poses, torch.stack([torch.randn(7), torch.randn(7)]))
    focal = poses.focals(drawn.log_focals, OPTIONS)
    torch.testing.assert_close(focal, torch.tensor([[5.0, 5], [6, 6]]))
