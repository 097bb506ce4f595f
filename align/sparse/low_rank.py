"""A smooth basis for a view's anchor depths (docs/sparse_alignment.md, "Low-rank depths")."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from align.pinhole import pixel_grid, rays


@dataclass(frozen=True, slots=True)
class LowRank:
    """Options of the basis; the reference's own suggestion is 96 coefficients, sharpness 15, least
    norm 0.5.
    """

    num_coefficients: int = 64
    sharpness: float = 7.0
    """How fast two anchors lose their affinity with the angle between them (gamma)."""
    least_norm: float = 5.0
    """Columns are scaled to at least this norm; 0 leaves them at 1."""
    normalized_cuts: bool = True


@dataclass(frozen=True, slots=True)
class Basis:
    """Eigenvectors of a view's anchor graph."""

    columns: Tensor  # (A, k)
    coefficients: Tensor  # (k,)
    """Those that fit the given depth best."""


def anchor_positions(K: Tensor, depth: Tensor, subsample: int) -> Tensor:
    """Return the points (h, w, 3) of the anchors with depths (h, w) in the camera frame."""
    height, width = depth.shape
    pixel = pixel_grid(height, width, depth) * subsample + subsample // 2  # (h w, 2)
    return rays(pixel, K.diagonal()[:2], K[:2, 2]).reshape(height, width, 3) * depth[..., None]


def affinity(positions: Tensor, sharpness: float) -> Tensor:
    """Return how alike (A, A) the depths of two anchors at (h, w, 3) should be, 1 on the diagonal."""
    points = positions.reshape(-1, 3)
    z = points[:, 2]
    # Differences first: expanding the square would cancel for neighbours.
    gap = (points[:, None] - points[None]).norm(dim=-1)
    return torch.exp(-sharpness * (gap / (z[:, None] + z[None])) ** 2)


def graph_spectrum(weights: Tensor, normalized_cuts: bool) -> tuple[Tensor, Tensor]:
    """Return ascending eigenvalues (A,) and eigenvectors (A, A) of the Laplacian of a graph without
    self-loops.
    """
    degree = weights.sum(1)
    laplacian = degree.diag() - weights
    if normalized_cuts:
        root = degree.rsqrt()
        laplacian = root[:, None] * laplacian * root[None]
    return torch.linalg.eigh(laplacian)


def depth_basis(K: Tensor, depth: Tensor, subsample: int, options: LowRank) -> Basis:
    """Return the basis of one view's anchor depths (h, w) and the coefficients that reproduce them best."""
    weights = affinity(anchor_positions(K, depth, subsample), options.sharpness)
    weights.fill_diagonal_(0)
    columns = graph_spectrum(weights, options.normalized_cuts)[1][:, : options.num_coefficients]
    flat = depth.flatten()
    if options.least_norm:
        columns = columns * fit(columns, flat).abs().clamp(min=options.least_norm)
    # The reference stores its coefficients in single precision, whatever the rest is in.
    return Basis(columns, fit(columns.double(), flat.double()).float().to(depth.dtype))


def fit(columns: Tensor, values: Tensor) -> Tensor:
    """Return the coefficients (k,) with the least squares of columns (A, k) against values (A,)."""
    return torch.linalg.pinv(columns) @ values
