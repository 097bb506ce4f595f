"""Sums of robust distances over tiles, with their gradients written out.

The generic chain of small tensor operations costs several times the memory traffic, and that is what an
iteration spends its time on. The tests hold these functions against the plain chain.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from align.sparse.robust import Robust, robust_slope, robust_value

LEAST_DEPTH = 1e-3
"""Scene units: a point nearer to the camera than this, or behind it, is projected from here and has no
gradient by its depth."""
FAR_PX = (-1000.0, 2000.0)
"""Projections are cut at these coordinates and have no gradient beyond."""

_CHUNK = (
    128  # tiles; what is between reading matches and writing gradients then stays in the processor's cache
)


def distance_sum(matrix: Tensor, offset: Tensor, lifted: Tensor, weight: Tensor, robust: Robust) -> Tensor:
    """Return sum weight rho(|matrix lifted + offset|).

    `matrix` is (T, 3, C), `offset` (T, 3), `lifted` (T, C, S), `weight` (T, S) is constant. At distance 0 the
    gradient is 0.
    """
    return _DistanceSum.apply(matrix, offset, lifted, weight, robust)


def projection_sum(
    matrix: Tensor,  # (T, 3, 3)
    offset: Tensor,  # (T, 3)
    depth: Tensor,  # (T, S)
    pixel: Tensor,  # (T, 3, S), homogeneous, constant
    target: Tensor,  # (T, 2, S), constant
    weight: Tensor,  # (T, S), constant
    robust: Robust,
) -> Tensor:
    """Return sum weight rho(|projection of (depth matrix pixel + offset) - target|), in pixels."""
    return _ProjectionSum.apply(matrix, offset, depth, pixel, target, weight, robust)


class _DistanceSum(torch.autograd.Function):
    """Value and gradients in one pass: what a second one would need again is larger than the gradients
    themselves.
    """

    @staticmethod
    def forward(
        ctx, matrix: Tensor, offset: Tensor, lifted: Tensor, weight: Tensor, robust: Robust
    ) -> Tensor:
        by_points = ctx.needs_input_grad[2]
        values, *gradients = zip(
            *(
                _distance_part(*part, robust=robust, by_points=by_points)
                for part in _parts(matrix, offset, lifted, weight)
            )
        )
        ctx.save_for_backward(*(torch.cat(gradient) for gradient in gradients))
        return torch.stack(values).sum()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        by_matrix, by_offset, by_lifted = ctx.saved_tensors
        return (
            grad * by_matrix,
            grad * by_offset,
            grad * by_lifted if ctx.needs_input_grad[2] else None,
            None,
            None,
        )


class _ProjectionSum(torch.autograd.Function):
    """As `_DistanceSum`."""

    @staticmethod
    def forward(
        ctx,
        matrix: Tensor,
        offset: Tensor,
        depth: Tensor,
        pixel: Tensor,
        target: Tensor,
        weight: Tensor,
        robust: Robust,
    ) -> Tensor:
        parts = _parts(matrix, offset, depth, pixel, target, weight)
        values, *gradients = zip(*(_projection_part(*part, robust=robust) for part in parts))
        ctx.save_for_backward(*(torch.cat(gradient) for gradient in gradients))
        return torch.stack(values).sum()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        by_matrix, by_offset, by_depth = ctx.saved_tensors
        return grad * by_matrix, grad * by_offset, grad * by_depth, None, None, None, None


def _parts(*arrays: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield the arrays in runs of tiles small enough for a processor's cache; whole where there is no such
    cache to keep to.
    """
    step = _CHUNK if arrays[0].device.type == "cpu" else max(1, len(arrays[0]))
    return zip(*(array.split(step) for array in arrays))


def _distance_part(
    matrix: Tensor, offset: Tensor, lifted: Tensor, weight: Tensor, robust: Robust, by_points: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the sum over some tiles, and its gradients by matrix, offset and, if asked for, points."""
    residual = torch.baddbmm(offset[..., None], matrix, lifted)
    distance = residual.square().sum(1).sqrt_()
    value = torch.dot(weight.reshape(-1), robust_value(robust, distance).reshape(-1))
    by_residual = residual.mul_(_irls_weight(weight, distance, robust)[:, None])  # (T, 3, S)
    by_lifted = torch.bmm(matrix.mT, by_residual) if by_points else by_residual.new_zeros(0)
    return value, torch.bmm(by_residual, lifted.mT), by_residual.sum(2), by_lifted


def _projection_part(
    matrix: Tensor,
    offset: Tensor,
    depth: Tensor,
    pixel: Tensor,
    target: Tensor,
    weight: Tensor,
    robust: Robust,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the sum over some tiles, and its gradients by matrix, offset and depth."""
    ray = torch.bmm(matrix, pixel)  # (T, 3, S)
    seen = torch.addcmul(offset[..., None], ray, depth[:, None])
    z = seen[:, 2]
    inverse_z = z.clamp(min=LEAST_DEPTH).reciprocal_()
    uv = seen[:, :2] * inverse_z[:, None]
    residual = uv.clamp(*FAR_PX).sub_(target)
    distance = residual.square().sum(1).sqrt_()
    value = torch.dot(weight.reshape(-1), robust_value(robust, distance).reshape(-1))
    by_residual = residual.mul_((_irls_weight(weight, distance, robust) * inverse_z)[:, None])  # (T, 2, S)
    by_residual = torch.where((uv >= FAR_PX[0]) & (uv <= FAR_PX[1]), by_residual, 0)
    along = torch.where(z >= LEAST_DEPTH, uv.mul_(by_residual).sum(1).neg_(), 0)
    by_seen = torch.cat([by_residual, along[:, None]], 1)  # (T, 3, S)
    by_depth = ray.mul_(by_seen).sum(1)
    by_offset = by_seen.sum(2)
    by_matrix = torch.bmm(by_seen.mul_(depth[:, None]), pixel.mT)
    return value, by_matrix, by_offset, by_depth


def _irls_weight(weight: Tensor, distance: Tensor, robust: Robust) -> Tensor:
    """Return weight rho'(distance) / distance: what the residual is multiplied by in the gradient."""
    return torch.where(distance > 0, weight * robust_slope(robust, distance) / distance, 0)
