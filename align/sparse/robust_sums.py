"""Sums of robust distances over tiles, with their gradients written out.

The generic chain of small tensor operations costs several times the memory traffic, and that is what an iteration spends its time on.
The tests hold these functions against the plain chain.
"""

from __future__ import annotations

import torch
from torch import Tensor

from align.sparse.robust import Robust, robust_slope, robust_value

LEAST_DEPTH = 1e-3
"""Scene units: a point nearer to the camera than this, or behind it, is projected from here and has no gradient by its depth."""
FAR_PX = (-1000.0, 2000.0)
"""Projections are cut at these coordinates and have no gradient beyond."""

_CHUNK = 128  # tiles; what is between reading matches and writing gradients then stays in the processor's cache


def distance_sum(residual: Tensor, weight: Tensor, robust: Robust) -> Tensor:
    """Return sum weight rho(|residual|) of residuals (T, 3, S) with weights (T, S). At distance 0 the gradient is 0."""
    return _DistanceSum.apply(residual, weight, robust)


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
    @staticmethod
    def forward(ctx, residual: Tensor, weight: Tensor, robust: Robust) -> Tensor:
        distance = residual.square().sum(1).sqrt_()
        ctx.save_for_backward(residual, weight, distance)
        ctx.robust = robust
        return torch.dot(weight.reshape(-1), robust_value(robust, distance).reshape(-1))

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        residual, weight, distance = ctx.saved_tensors
        return residual * (grad * _pull(weight, distance, ctx.robust))[:, None], None, None


class _ProjectionSum(torch.autograd.Function):
    """Value and gradients in one pass: what backward would need again is larger than the gradients themselves."""

    @staticmethod
    def forward(ctx, matrix: Tensor, offset: Tensor, depth: Tensor, pixel: Tensor, target: Tensor, weight: Tensor, robust: Robust) -> Tensor:
        step = _CHUNK if matrix.device.type == "cpu" else max(1, len(matrix))
        parts = zip(*(array.split(step) for array in (matrix, offset, depth, pixel, target, weight)))
        values, *gradients = zip(*(_projection_part(*part, robust=robust) for part in parts))
        ctx.save_for_backward(*(torch.cat(gradient) for gradient in gradients))
        return torch.stack(values).sum()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        by_matrix, by_offset, by_depth = ctx.saved_tensors
        return grad * by_matrix, grad * by_offset, grad * by_depth, None, None, None, None


def _projection_part(
    matrix: Tensor, offset: Tensor, depth: Tensor, pixel: Tensor, target: Tensor, weight: Tensor, robust: Robust
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
    pull = residual.mul_((_pull(weight, distance, robust) * inverse_z)[:, None])  # (T, 2, S)
    pull = torch.where((uv >= FAR_PX[0]) & (uv <= FAR_PX[1]), pull, 0)
    along = torch.where(z >= LEAST_DEPTH, uv.mul_(pull).sum(1).neg_(), 0)
    by_seen = torch.cat([pull, along[:, None]], 1)  # (T, 3, S)
    by_depth = ray.mul_(by_seen).sum(1)
    by_offset = by_seen.sum(2)
    by_matrix = torch.bmm(by_seen.mul_(depth[:, None]), pixel.mT)
    return value, by_matrix, by_offset, by_depth


def _pull(weight: Tensor, distance: Tensor, robust: Robust) -> Tensor:
    """Return weight rho'(distance) / distance: what the residual is multiplied by in the gradient."""
    return torch.where(distance > 0, weight * robust_slope(robust, distance) / distance, 0)
