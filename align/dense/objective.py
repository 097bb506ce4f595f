"""The dense aligner's losses and their gradients, written out (docs/dense_alignment.md, "Objective").

With P the world points of a view, M the 3x4 matrix that carries a pair's predictions p into the world, and
w the weights, a side's sum is that of w |P - M (p, 1)|, or of the squares. Pixels are taken in pieces that
stay in the cache; what they leave behind are gradients by depth, and by one 3x4 matrix a view and a pair.
From these to the parameters, a few numbers each, autograd does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from align.dense.options import DenseOptions, Distance
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import pair_maps, scale_is_normalised, view_maps
from align.dense.terms import DenseTerms, ViewTerms

_PIECE = 2**17
"""Pixels times sides of a piece: 5 MiB of buffers in single precision. Half of it costs a sixth more time."""


def loss(terms: DenseTerms, parameters: DenseParameters, frozen: Frozen) -> float:
    """Return the loss."""
    return _total(terms, side_sums(terms, parameters, frozen))


def side_sums(terms: DenseTerms, parameters: DenseParameters, frozen: Frozen) -> Tensor:
    """Return the sums (E, 2) over the pixels of both sides of every pair, double."""
    with torch.no_grad():
        of_views, of_pairs = _maps(parameters, terms.options, frozen)
    return _sums(terms, parameters.log_depth, of_views, of_pairs, None)


def pair_means(terms: DenseTerms, sums: Tensor) -> Tensor:
    """Return what every pair contributes by itself (V, V): the means of both sides added, -1 without a
    pair.
    """
    num_present = torch.ones_like(sums)
    for view in terms.views:
        num_present[view.pair, view.side] = view.num_present.clamp(min=1).double()
    means = sums.new_full((len(terms.sizes), len(terms.sizes)), -1)
    first, second = torch.tensor(terms.edges).T
    means[first, second] = (sums / num_present).sum(1)
    return means


def loss_and_gradient(
    terms: DenseTerms, parameters: DenseParameters, frozen: Frozen
) -> tuple[float, DenseParameters]:
    """Return the loss and its gradient, exactly 0 where a parameter is not free."""
    names = ("pair_poses", "pair_adaptors", "poses", "log_focals", "principal_points")
    leaves = {name: getattr(parameters, name).detach().requires_grad_() for name in names}
    of_views, of_pairs = _maps(replace(parameters, **leaves), terms.options, frozen)
    found = _Gradients(
        torch.zeros_like(of_views, dtype=torch.float64),
        torch.zeros_like(of_pairs, dtype=torch.float64),
        tuple(torch.zeros_like(depth) for depth in parameters.log_depth),
    )
    sums = _sums(terms, parameters.log_depth, of_views.detach(), of_pairs.detach(), found)
    small = torch.autograd.grad(
        [of_views, of_pairs],
        list(leaves.values()),
        [found.of_views.to(of_views), found.of_pairs.to(of_pairs)],
    )
    gradient = DenseParameters(log_depth=found.log_depth, **dict(zip(names, small)))
    return _total(terms, sums), _only_free(gradient, terms.options, frozen)


@dataclass(frozen=True, slots=True)
class _Gradients:
    """Filled piece by piece."""

    of_views: Tensor  # (V, 3, 4)
    of_pairs: Tensor  # (E, 3, 4)
    log_depth: tuple[Tensor, ...]  # (H, W) each


def _maps(parameters: DenseParameters, options: DenseOptions, frozen: Frozen) -> tuple[Tensor, Tensor]:
    return view_maps(parameters, options), pair_maps(parameters, options, scale_is_normalised(frozen))


def _only_free(gradient: DenseParameters, options: DenseOptions, frozen: Frozen) -> DenseParameters:
    for name, views in (
        ("poses", frozen.poses),
        ("log_focals", frozen.focals),
        ("principal_points", frozen.principal_points),
    ):
        getattr(gradient, name)[sorted(views)] = 0
    for view in frozen.log_depth:
        gradient.log_depth[view].zero_()
    if not options.adaptors:
        gradient.pair_adaptors.zero_()
    if not options.free_principal_point:
        gradient.principal_points.zero_()
    return gradient


def _total(terms: DenseTerms, sums: Tensor) -> float:
    return float(sum((view.share * sums[view.pair, view.side]).sum() for view in terms.views))


def _sums(
    terms: DenseTerms,
    log_depth: tuple[Tensor, ...],
    of_views: Tensor,
    of_pairs: Tensor,
    gradients: _Gradients | None,
) -> Tensor:
    """Return the sums (E, 2), and add to the gradients if they are asked for."""
    sums = torch.zeros(len(terms.edges), 2, dtype=torch.float64)
    for k, view in enumerate(terms.views):
        of_view, maps = of_views[k].to(view.xy), of_pairs[view.pair].to(view.xy)
        maps[..., :3] *= view.unit[:, None, None]
        depth = log_depth[k].detach().reshape(-1)[view.pixel].to(view.xy).exp_()
        totals, of_maps = sums.new_zeros(len(maps)), sums.new_zeros(maps.shape)
        by_depth = torch.empty_like(depth)
        for piece in pieces(view):
            residuals(piece, of_view, maps, depth)
            totals += weigh(piece, terms.options.distance)
            if gradients is not None:
                by_depth[piece.window] = _pull_back(piece, of_view, gradients.of_views[k], of_maps)
        sums[view.pair, view.side] = totals
        if gradients is not None:
            of_maps[..., :3] *= view.unit[:, None, None]
            gradients.of_pairs.index_add_(0, view.pair, of_maps)
            gradients.log_depth[k].view(-1)[view.pixel] = by_depth.to(log_depth[k])
    return sums


@dataclass(frozen=True, slots=True)
class Piece:
    """A window of a view's pixels, and room for what is computed there."""

    view: ViewTerms
    window: slice
    points: Tensor  # (S, 4, C), predicted, homogeneous
    weight: Tensor  # (S, C)
    lifted: Tensor  # (4, C): depth times x, y, 1; and 1
    world: Tensor  # (3, C), points of the view
    residual: Tensor  # (S, 3, C), world less moved predictions
    square: Tensor  # (S, C), of the residual


def pieces(view: ViewTerms) -> Iterator[Piece]:
    """Yield windows of nearly equal lengths; their room is used again from one to the next."""
    num_sides, num_pixels = view.weight.shape
    if not num_sides or not num_pixels:
        return
    length = -(-num_pixels // -(-num_sides * num_pixels // _PIECE))
    room: dict[int, list[Tensor]] = {}
    for first in range(0, num_pixels, length):
        count = min(length, num_pixels - first)
        if count not in room:
            shapes = (num_sides, 4), (num_sides,), (4,), (3,), (num_sides, 3), (num_sides,)
            room[count] = [view.xy.new_ones(*shape, count) for shape in shapes]
        yield Piece(view, slice(first, first + count), *room[count])


def residuals(piece: Piece, of_view: Tensor, maps: Tensor, depth: Tensor) -> None:
    """Fill a piece: `of_view` (3, 4) lifts the view's pixels, `maps` (S, 3, 4) move the stored predictions,
    and `depth` is (N,).
    """
    view, window = piece.view, piece.window
    piece.points[:, :3].copy_(view.points[:, :, window])
    piece.weight.copy_(view.weight[:, window])
    torch.mul(view.xy[:, window], depth[window], out=piece.lifted[:2])
    piece.lifted[2].copy_(depth[window])
    torch.mm(of_view, piece.lifted, out=piece.world)
    torch.baddbmm(piece.world.expand_as(piece.residual), maps, piece.points, alpha=-1, out=piece.residual)


def weigh(piece: Piece, distance: Distance, floor: float = 0.0) -> Tensor:
    """Return the sums (S,) of weighted distances, double. Turn the residuals r into gradients by the world
    points, and the weights into the factors of r in these gradients.

    With a floor the distance |r| is sqrt(|r|^2 + floor^2).
    """
    residual, square, weight = piece.residual, piece.square, piece.weight
    # Where the square underflows, the smallest number keeps the root's inverse finite: at coinciding points
    # the gradient is 0, as the published one.
    least = square.new_tensor(max(floor**2, torch.finfo(square.dtype).tiny))
    torch.addcmul(least, residual[:, 0], residual[:, 0], out=square)
    square.addcmul_(residual[:, 1], residual[:, 1]).addcmul_(residual[:, 2], residual[:, 2])
    if distance == "l1":
        weight.mul_(square.rsqrt())
    sums = torch.linalg.vecdot(weight, square).double()
    residual.mul_((weight if distance == "l1" else weight.mul_(2))[:, None])
    return sums


def _pull_back(piece: Piece, of_view: Tensor, by_view: Tensor, by_maps: Tensor) -> Tensor:
    """Return the gradient (C,) by the logarithms of depth; add those by the matrices."""
    share = piece.view.share.to(of_view)
    by_maps.sub_(torch.bmm(piece.residual, piece.points.mT).double() * piece.view.share[:, None, None])
    by_world = torch.mm(share[None], piece.residual.view(len(share), -1)).view_as(piece.world)
    by_view.add_(torch.mm(by_world, piece.lifted.T).double())
    # A point moves along its ray, in proportion to its depth.
    return torch.linalg.vecdot(by_world, piece.world.sub_(of_view[:, 3:]), dim=0)
