"""Normal equations of views and pairs after every pixel's depth is eliminated.

With q the factor of a residual r in the gradient, x the homogeneous prediction or the lifted pixel, T the
tangents of its map, and a the ray from the camera to the point: a residual moves with the logarithm of depth
by a, with a view by T x, with a pair by -T x. Second derivatives are those of the parabola that lies above
the distance and touches it at r: q |dr|^2. Reweighted least squares lower these parabolas.

A depth appears in the S residuals of its pixel alone. Its elimination takes from the matrix the product of a
row with itself: that of q a.Tx, over the root of the depth's own sum of q |a|^2. One matrix product a piece
sums such rows over pixels; all else follows from sums of q x x^T.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from align.dense.objective import Piece, pieces, residuals, weigh
from align.dense.parameters import DenseParameters
from align.dense.poses import pair_maps, view_maps
from align.dense.second_order.unknowns import SCALE, Unknowns, pair_tangents, view_tangents
from align.dense.terms import DenseTerms, ViewTerms


@dataclass(frozen=True, slots=True)
class ViewMaps:
    """What carries a view's pixels, and the S predictions of them, into the world."""

    of_view: Tensor  # (3, 4)
    of_pairs: Tensor  # (S, 3, 4), of stored predictions
    depth: Tensor  # (N,)


def maps_at(terms: DenseTerms, parameters: DenseParameters, unknowns: Unknowns) -> list[ViewMaps]:
    """Return the maps of all views, in the precision of the terms."""
    of_views = view_maps(parameters, unknowns.options)
    of_pairs = pair_maps(parameters, unknowns.options, unknowns.normalised)
    result = []
    for k, view in enumerate(terms.views):
        depth = parameters.log_depth[k].reshape(-1)[view.pixel].to(view.xy).exp()
        stored = _in_stored_units(of_pairs[view.pair], view).to(view.xy)
        result.append(ViewMaps(of_views[k].to(view.xy), stored, depth))
    return result


def weighted(piece: Piece, maps: ViewMaps, unknowns: Unknowns, floor: float) -> Tensor:
    """Fill a piece with gradients and factors, each side's share included, and return its cost ()."""
    residuals(piece, maps.of_view, maps.of_pairs, maps.depth)
    # Networks' weights are not negative. Those of a confidence below 1 would make matrices indefinite.
    piece.weight.clamp_(min=0)
    share = piece.view.share.to(piece.weight)[:, None]
    piece.weight.mul_(share)
    return weigh(piece, unknowns.options.distance, floor).sum()


def reduced_equations(
    terms: DenseTerms, parameters: DenseParameters, unknowns: Unknowns, floor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return matrix (N, N) and gradient (N,) of the unknowns of views and pairs."""
    of_views, of_pairs = view_tangents(parameters, unknowns), pair_tangents(parameters, unknowns)
    matrix, gradient = np.zeros((unknowns.size, unknowns.size)), np.zeros(unknowns.size)
    for k, (view, maps) in enumerate(zip(terms.views, maps_at(terms, parameters, unknowns))):
        if not view.pixel.numel():
            continue
        tangents = _Tangents(of_views[k], _in_stored_units(of_pairs[view.pair], view))
        sums = _Sums.empty(unknowns, len(view.pair))
        for piece in pieces(view):
            weighted(piece, maps, unknowns, floor)
            _add_piece(sums, piece, maps, tangents, eliminate=k not in unknowns.frozen.log_depth)
        here = np.concatenate([unknowns.of_view(k), unknowns.of_pairs(view.pair).ravel()])
        local, local_gradient = _assembled(sums, tangents)
        # A pair of a view with itself names its places twice: added one by one.
        np.add.at(matrix, np.ix_(here, here), local.numpy())
        np.add.at(gradient, here, local_gradient.numpy())
    if unknowns.normalised:
        _norm_scales(matrix, gradient, unknowns)
    return matrix, gradient


@dataclass(frozen=True, slots=True)
class _Tangents:
    view: Tensor  # (A, 3, 4)
    pairs: Tensor  # (S, B, 3, 4)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Over all pixels of a view, double; D = A + S B unknowns."""

    rows: Tensor  # (D + 1, D + 1), of the eliminated rows, gradient last
    view_view: Tensor  # (4, 4), of q x x^T
    view_pair: Tensor  # (S, 4, 4)
    pair_pair: Tensor  # (S, 4, 4)
    by_view: Tensor  # (3, 4), gradient by the view's map
    by_pair: Tensor  # (S, 3, 4)

    @staticmethod
    def empty(unknowns: Unknowns, num_sides: int) -> _Sums:
        size = unknowns.per_view + num_sides * unknowns.per_pair + 1
        shapes = (size, size), (4, 4), (num_sides, 4, 4), (num_sides, 4, 4), (3, 4), (num_sides, 3, 4)
        return _Sums(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes))


def _add_piece(sums: _Sums, piece: Piece, maps: ViewMaps, tangents: _Tangents, eliminate: bool) -> None:
    factor, gradient = piece.weight, piece.residual
    by_world = gradient.sum(0)
    sums.by_view.add_(torch.mm(by_world, piece.lifted.T))
    sums.by_pair.sub_(torch.bmm(gradient, piece.points.mT))
    points = piece.points * factor[:, None]
    sums.pair_pair.add_(torch.bmm(points, piece.points.mT))
    sums.view_pair.add_(torch.matmul(piece.lifted, points.mT))
    together = factor.sum(0)
    sums.view_view.add_(torch.mm(piece.lifted * together, piece.lifted.T))
    if not eliminate:
        return
    ray = piece.world - maps.of_view[:, 3:]
    curvature = together * ray.square().sum(0)
    # A pixel whose weights are all 0 has no equation: its depth stays.
    scale = torch.where(curvature > 0, curvature, 1).rsqrt() * (curvature > 0)
    num_sides, _, count = points.shape
    per_view, per_pair = len(tangents.view), tangents.pairs.shape[1]
    rows = points.new_empty(len(sums.rows), count)
    along_view = (ray[:, None] * (piece.lifted * (together * scale))).view(12, count)
    torch.mm(tangents.view.to(ray).view(per_view, 12), along_view, out=rows[:per_view])
    along_pairs = (ray[:, None] * points.mul_(-scale)[:, None]).view(num_sides, 12, count)
    flat = tangents.pairs.to(ray).view(num_sides, per_pair, 12)
    torch.bmm(flat, along_pairs, out=rows[per_view:-1].view(num_sides, per_pair, count))
    torch.mul(torch.linalg.vecdot(by_world, ray, dim=0), scale, out=rows[-1])
    sums.rows.add_(rows @ rows.T)


def _assembled(sums: _Sums, tangents: _Tangents) -> tuple[Tensor, Tensor]:
    """Return the matrix (D, D) and gradient (D,) of one view's unknowns and those of its sides."""
    view, pairs = tangents.view, tangents.pairs
    num_sides, per_pair = pairs.shape[:2]
    of_view = torch.einsum("aij,jk,bik->ab", view, sums.view_view, view)
    across = -torch.einsum("aij,sjk,sbik->asb", view, sums.view_pair, pairs).reshape(len(view), -1)
    of_pairs = torch.block_diag(*torch.einsum("saij,sjk,sbik->sab", pairs, sums.pair_pair, pairs))
    matrix = torch.cat([torch.cat([of_view, across], 1), torch.cat([across.T, of_pairs], 1)])
    by_view = torch.einsum("aij,ij->a", view, sums.by_view)
    by_pairs = torch.einsum("saij,sij->sa", pairs, sums.by_pair).reshape(num_sides * per_pair)
    return matrix - sums.rows[:-1, :-1], torch.cat([by_view, by_pairs]) - sums.rows[:-1, -1]


def _in_stored_units(maps: Tensor, view: ViewTerms) -> Tensor:
    """Return maps or tangents (S, ..., 3, 4) of predictions as the terms store them."""
    unit = view.unit.to(maps).view(-1, *[1] * (maps.ndim - 1))
    return torch.cat([maps[..., :3] * unit, maps[..., 3:]], -1)


def _norm_scales(matrix: np.ndarray, gradient: np.ndarray, unknowns: Unknowns) -> None:
    """Write equations in which what all logarithms of scales have in common has no effect."""
    scales = unknowns.of_pairs(torch.arange(unknowns.num_pairs))[:, SCALE]
    gradient[scales] -= gradient[scales].mean()
    matrix[scales] -= matrix[scales].mean(0)
    matrix[:, scales] -= matrix[:, scales].mean(1, keepdims=True)
