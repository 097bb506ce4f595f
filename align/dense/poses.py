"""From the unknowns to poses, similarities and cameras, and back: the published parametrisation, in the dtype
of what is given (docs/dense_alignment.md, "Parameters").
"""

from __future__ import annotations

from collections.abc import Sequence

import roma
import torch
from torch import Tensor

from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen

_PP_UNIT = 10
"""Pixels a unit of the principal points' parameters."""


def signed_log1p(x: Tensor) -> Tensor:
    """Return the logarithm that keeps the sign: about x near 0."""
    return x.sign() * x.abs().log1p()


def signed_expm1(x: Tensor) -> Tensor:
    """Return the inverse of `signed_log1p`.

    Its derivative at exactly 0 is 0 to autograd, 1 in truth. The published descent has that too: a view that
    starts at the origin, as the first one of a spanning tree does, stays there.
    """
    return x.sign() * x.abs().expm1()


def scale_is_normalised(frozen: Frozen) -> bool:
    """Return whether the pairs' scales are divided by their mean: known poses have a scale of their own as
    soon as there are two.
    """
    return len(frozen.poses) <= 1


def view_poses(poses: Tensor) -> Tensor:
    """Return world_from_cam (V, 4, 4) of poses (V, 7)."""
    return _rigid(_rotations(poses), signed_expm1(poses[:, 4:7]))


def pair_scales(pair_poses: Tensor, options: DenseOptions, normalised: bool) -> Tensor:
    """Return the scales (E,) of pairs (E, 8). Normalised, their geometric mean is `base_scale`."""
    log_scale = pair_poses[:, 7]
    if not normalised:
        return log_scale.exp()
    # Scales without a norm shrink together: all points in one place agree best.
    return log_scale.exp() * (_log(options.base_scale, log_scale) - log_scale.mean()).exp()


def pair_similarities(pair_poses: Tensor, options: DenseOptions, normalised: bool) -> Tensor:
    """Return world_from_pair (E, 4, 4): rotation and translation both times the scale."""
    scale = pair_scales(pair_poses, options, normalised)[:, None]
    return _rigid(_rotations(pair_poses) * scale[..., None], signed_expm1(pair_poses[:, 4:7]) * scale)


def adaptor_factors(pair_adaptors: Tensor, options: DenseOptions, normalised: bool) -> Tensor:
    """Return the factors (E, 3) of the predicted x, y and z. Normalised, their product is 1."""
    exponents = pair_adaptors[:, [0, 0, 1]]
    if normalised:
        exponents = exponents - exponents.mean(dim=1, keepdim=True)
    return (exponents / options.adaptor_break).exp()


def pair_maps(parameters: DenseParameters, options: DenseOptions, normalised: bool) -> Tensor:
    """Return the matrices (E, 3, 4) that carry predicted points into the world, adaptors included."""
    similarities = pair_similarities(parameters.pair_poses, options, normalised)[:, :3]
    factors = adaptor_factors(parameters.pair_adaptors, options, normalised)
    return similarities * torch.cat([factors, torch.ones_like(factors[:, :1])], 1)[:, None]


def view_maps(parameters: DenseParameters, options: DenseOptions) -> Tensor:
    """Return the matrices (V, 3, 4) that carry depth times (x, y, 1, 1 / depth) into the world, for pixels
    (x, y) counted from the middle of the picture.
    """
    world_from_cam = view_poses(parameters.poses)[:, :3]
    focal = focals(parameters.log_focals, options)
    x_axis, y_axis = world_from_cam[..., 0] / focal[:, :1], world_from_cam[..., 1] / focal[:, -1:]
    right, down = (_PP_UNIT * parameters.principal_points).split(1, dim=1)
    z_axis = world_from_cam[..., 2] - right * x_axis - down * y_axis
    return torch.stack([x_axis, y_axis, z_axis, world_from_cam[..., 3]], 2)


def focals(log_focals: Tensor, options: DenseOptions) -> Tensor:
    """Return the focals in pixels, in the shape of their parameters."""
    return (log_focals / options.focal_break).exp()


def principal_points(values: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
    """Return the principal points (V, 2) as (x, y), in pixels."""
    return middles(sizes, values) + _PP_UNIT * values


def intrinsics(
    parameters: DenseParameters, sizes: Sequence[tuple[int, int]], options: DenseOptions
) -> Tensor:
    """Return the matrices K (V, 3, 3)."""
    focal = focals(parameters.log_focals, options)
    K = torch.zeros(len(sizes), 3, 3).to(focal)
    K[:, 0, 0], K[:, 1, 1] = focal[:, 0], focal[:, -1]
    K[:, :2, 2] = principal_points(parameters.principal_points, sizes)
    K[:, 2, 2] = 1
    return K


def pose_values(R: Tensor, t: Tensor) -> Tensor:
    """Return the parameters (V, 7) of poses: rotations (V, 3, 3) and translations (V, 3)."""
    return torch.cat([roma.rotmat_to_unitquat(R), signed_log1p(t)], 1)


def pair_pose_values(R: Tensor, t: Tensor, scale: Tensor) -> Tensor:
    """Return the parameters (E, 8) of similarities `scale R x + t` with scales (E,)."""
    return torch.cat([pose_values(R, t / scale[:, None]), scale.log()[:, None]], 1)


def focal_values(focal: Tensor, options: DenseOptions) -> Tensor:
    """Return the parameters of focals in pixels."""
    return options.focal_break * focal.log()


def principal_point_values(points: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
    """Return the parameters (V, 2) of principal points in pixels."""
    return (points - middles(sizes, points)) / _PP_UNIT


def middles(sizes: Sequence[tuple[int, int]], like: Tensor) -> Tensor:
    """Return (W / 2, H / 2) of the views: the published middle, half a pixel beyond that of the pixels."""
    return torch.tensor([(width / 2, height / 2) for height, width in sizes]).to(like)


def random_parameters(
    sizes: Sequence[tuple[int, int]], num_pairs: int, options: DenseOptions
) -> DenseParameters:
    """Return single-precision parameters drawn with `seed`: the numbers that the published aligner draws
    from torch's own generator with that seed, in its order.
    """
    generator = torch.Generator().manual_seed(options.seed)
    pair_poses = torch.randn((num_pairs, 8), generator=generator)
    log_depth = tuple(torch.randn(size, generator=generator) / 10 - 3 for size in sizes)
    poses = torch.stack([torch.randn(7, generator=generator) for _ in sizes])
    longest = torch.tensor([max(size) for size in sizes], dtype=torch.float32)[:, None]
    return DenseParameters(
        pair_poses,
        torch.zeros(num_pairs, 2),
        log_depth,
        poses,
        focal_values(longest, options).repeat(1, 2 if options.separate_focals else 1),
        torch.zeros(len(sizes), 2),
    )


def _rotations(values: Tensor) -> Tensor:
    """Return the rotations (N, 3, 3) of rows that begin with a quaternion of any norm."""
    quaternion = values[:, :4]
    return roma.unitquat_to_rotmat(quaternion / quaternion.norm(dim=1, keepdim=True))


def _rigid(R: Tensor, t: Tensor) -> Tensor:
    below = torch.tensor([0.0, 0, 0, 1]).to(R).expand(len(R), 1, 4)
    return torch.cat([torch.cat([R, t[..., None]], 2), below], 1)


def _log(value: float, like: Tensor) -> Tensor:
    return torch.tensor(value, dtype=like.dtype, device=like.device).log()
