"""The losses of the sparse aligner (docs/sparse_alignment.md, "Losses"), over all pairs at once.

The depth of an end of a match is kept in units of its view's scale. One 3x3 matrix a tile, made of scales,
rotations and intrinsics, then carries depth (x, y, 1) to the world or into another view's pixels: what
changes in an iteration of the coarse stage are these matrices only.
"""

from __future__ import annotations

from dataclasses import dataclass

import roma
import torch
from torch import Tensor

from align.sparse.camera_chain import CameraChain, Parameters, Placement
from align.sparse.options import Priors
from align.sparse.problem import Problem
from align.sparse.robust import Robust
from align.sparse.robust_sums import distance_sum, projection_sum
from align.sparse.tiles import Tiling, tiling, to_tiles


@dataclass(frozen=True, slots=True)
class Ends:
    """Anchored points in tiles; E is 2 for the two ends of matches and 1 for single points. G groups are
    pairs or cross pointmaps.
    """

    view: Tensor  # (G, E) int
    group: Tensor  # (T,) int
    pixel: Tensor  # (T, E, 3, S), homogeneous
    anchor: Tensor  # (T, E, S) int
    ratio_minus_one: Tensor  # (T, E, S), depth over the anchor's, less 1
    on_anchors: bool
    """True where all points lie on anchors: no ratio differs from 1."""


@dataclass(frozen=True, slots=True)
class MatchTerms:
    """The good pairs: two ends that should coincide in space, and each on the other's pixel."""

    ends: Ends
    weight: Tensor  # (T, S), of the distance in space
    pixel_weight: Tensor  # (T, 2, S), of the projection of each end into the other view
    target: Tensor  # (T, 2, 2, S), the pixel where each end should be seen by the other view

    @property
    def num_observations(self) -> Tensor:
        """() how many projections count."""
        return (self.pixel_weight != 0).sum()


@dataclass(frozen=True, slots=True)
class FallbackTerms:
    """The other pairs: a view's points should lie where a cross pointmap predicts them."""

    ends: Ends
    target_view: Tensor  # (G,) int, view in whose frame the pointmap is
    prediction: Tensor  # (T, 3, S)
    weight: Tensor  # (T, S)


def good_pairs(problem: Problem, good_conf: float) -> Tensor:
    """Return which pairs (P,) have a match of more than that confidence; NaN is no confidence."""
    return problem.pair_best_conf > good_conf


def match_terms(problem: Problem, good_conf: float, fixed: Tensor) -> MatchTerms | None:
    """Return the terms of the good pairs; none when there are no matches in them. `fixed` is (V,)."""
    fixed = fixed.to(problem.match_conf)
    keep = good_pairs(problem, good_conf)[problem.match_pair]
    if not bool(keep.any()):
        return None
    pair, points = problem.match_pair[keep], problem.match_points[keep]
    tiles = tiling(torch.bincount(pair, minlength=len(problem.pair)))
    views = problem.pair[pair]  # (M, 2)
    weight = problem.match_conf[keep] * problem.pair_count[pair]
    moving = (fixed[views] == 0).any(1)
    seen_by_free = (fixed[views] < 1).flip(1)  # end k is seen by view 1 - k
    return MatchTerms(
        ends=_ends(problem, problem.pair, tiles, points),
        weight=to_tiles(tiles, torch.where(moving, weight, 0)),
        pixel_weight=to_tiles(tiles, torch.where(seen_by_free, weight[:, None], 0)),
        target=to_tiles(tiles, problem.point_xy[points].flip(1)),
    )


def fallback_terms(problem: Problem, good_conf: float, fixed: Tensor) -> FallbackTerms | None:
    """Return the terms of the pairs that are not good; none when there are no samples in them.

    All anchored points of the predicted view count, those of its other pairs too, at the sample of their
    block.
    """
    fixed = fixed.to(problem.cross_conf)
    moving = (fixed[problem.cross] == 0).any(1)
    crosses = torch.nonzero(~good_pairs(problem, good_conf)[problem.cross_pair] & moving)[:, 0]
    source = problem.cross[crosses, 1]
    lengths = problem.point_start.diff()[source]
    cross = torch.repeat_interleave(crosses, lengths)
    rank = torch.arange(len(cross), device=cross.device) - torch.repeat_interleave(
        lengths.cumsum(0) - lengths, lengths
    )
    point = rank + problem.point_start[problem.cross[cross, 1]]
    sample = (
        problem.cross_start[cross]
        + problem.point_anchor[point]
        - problem.anchor_start[problem.cross[cross, 1]]
    )
    # What a network could not predict is absent, not zero.
    keep = torch.isfinite(problem.cross_conf[sample]) & torch.isfinite(problem.cross_points[sample]).all(1)
    if not bool(keep.any()):
        return None
    cross, point, sample = cross[keep], point[keep], sample[keep]
    tiles = tiling(torch.bincount(cross, minlength=len(problem.cross)))
    return FallbackTerms(
        ends=_ends(problem, problem.cross[:, 1:], tiles, point[:, None]),
        target_view=problem.cross[:, 0],
        prediction=to_tiles(tiles, problem.cross_points[sample]),
        weight=to_tiles(tiles, problem.cross_conf[sample] * problem.pair_count[problem.cross_pair[cross]]),
    )


def _ends(problem: Problem, view: Tensor, tiles: Tiling, points: Tensor) -> Ends:
    """Return the ends of groups with views (G, E) at anchored points (M, E); padding repeats the first point
    of all: finite values.
    """
    point = to_tiles(tiles, points)  # (T, E, S)
    xy = problem.point_xy[point].movedim(-1, 2)  # (T, E, 2, S)
    pixel = torch.cat([xy, torch.ones_like(xy[:, :, :1])], 2).contiguous()
    ratio_minus_one = problem.point_ratio[point] - 1
    return Ends(
        view,
        tiles.group,
        pixel,
        problem.point_anchor[point].contiguous(),
        ratio_minus_one.contiguous(),
        not bool(ratio_minus_one.any()),
    )


def lift(ends: Ends, placement: Placement, chain: CameraChain) -> Tensor:
    """Return the depths (T, E, S) of the ends in units of their views' scales.

    They depend on focals and depth parameters alone, so the coarse stage needs them once.
    """
    depth = placement.depth_shape.index_select(0, ends.anchor.reshape(-1)).reshape(ends.anchor.shape)
    if ends.on_anchors:
        return depth
    focal_ratio = (chain.base_focal / placement.K[:, 0, 0])[ends.view].index_select(0, ends.group)  # (T, E)
    return depth * (1 + ends.ratio_minus_one * focal_ratio[..., None])


def loss_3d(terms: MatchTerms, depth: Tensor, placement: Placement, robust: Robust) -> Tensor:
    """Return the weighted mean of rho(distance between the two ends in the world), arXiv:2409.19152, section
    4.3. Depths are (T, 2, S), from `lift`.
    """
    matrix, centre = _world_from_pixel(placement), placement.centre
    (a, b), group = terms.ends.view.unbind(1), terms.ends.group
    both = torch.cat([matrix[a], -matrix[b]], 2).index_select(0, group)  # (T, 3, 6)
    lifted = (terms.ends.pixel * depth[:, :, None]).flatten(1, 2)  # (T, 6, S)
    return (
        distance_sum(both, (centre[a] - centre[b]).index_select(0, group), lifted, terms.weight, robust)
        / terms.weight.sum()
    )


def loss_2d(terms: MatchTerms, depth: Tensor, placement: Placement, robust: Robust) -> Tensor:
    """Return the weighted mean of rho(pixel distance of each end from its match, seen by the other view),
    arXiv:2409.19152, section 4.4.
    """
    view, group = terms.ends.view, terms.ends.group
    other = view.flip(1)  # (P, 2)
    matrix, centre = _world_from_pixel(placement), placement.centre
    into = (placement.K @ placement.R_world_from_cam.mT)[other]
    offset = (into @ (centre[view] - centre[other])[..., None])[..., 0]
    # One gather of the finished products a pair, and not one of each factor a tile.
    matrices, offsets = (each.index_select(0, group).flatten(0, 1) for each in (into @ matrix[view], offset))
    pixel, target, weight = (
        each.flatten(0, 1) for each in (terms.ends.pixel, terms.target, terms.pixel_weight)
    )
    return (
        projection_sum(matrices, offsets, depth.flatten(0, 1), pixel, target, weight, robust) / weight.sum()
    )


def loss_fallback(terms: FallbackTerms, depth: Tensor, placement: Placement, robust: Robust) -> Tensor:
    """Return the weighted mean of rho(distance in the world between a point and its prediction). Depths are
    (T, 1, S).
    """
    matrix, centre = _world_from_pixel(placement), placement.centre
    source, target, group = terms.ends.view[:, 0], terms.target_view, terms.ends.group
    both = torch.cat([matrix[source], -placement.R_world_from_cam[target]], 2).index_select(0, group)
    lifted = torch.cat([terms.ends.pixel[:, 0] * depth, terms.prediction], 1)  # (T, 6, S)
    return (
        distance_sum(
            both, (centre[source] - centre[target]).index_select(0, group), lifted, terms.weight, robust
        )
        / terms.weight.sum()
    )


def _world_from_pixel(placement: Placement) -> Tensor:
    """Return the matrices (V, 3, 3) that carry depth (x, y, 1) to the world, up to the camera centre."""
    focal, (x, y) = placement.K[:, 0, 0], placement.K[:, :2, 2].unbind(1)
    zero, one = torch.zeros_like(focal), torch.ones_like(focal)
    inverse = torch.stack(
        [one / focal, zero, -x / focal, zero, one / focal, -y / focal, zero, zero, one], 1
    ).reshape(-1, 3, 3)
    return placement.depth_scale[:, None, None] * (placement.R_world_from_cam @ inverse)


@dataclass(frozen=True, slots=True)
class PriorTerms:
    """What the parameters are softly tied to: the start."""

    priors: Priors
    log_focal: Tensor  # (C,)
    R_world_from_cam: Tensor  # (V, 3, 3)
    centre: Tensor  # (V, 3)
    num_observations: Tensor  # ()


def loss_priors(terms: PriorTerms, parameters: Parameters, placement: Placement) -> Tensor:
    """Return the negative log likelihood of the priors, divided by the number of matches that the loss is a
    mean of.
    """
    total = placement.centre.new_zeros(())
    priors = terms.priors
    if priors.log_focal_sigma is not None:
        total = total + ((parameters.log_focal - terms.log_focal) / priors.log_focal_sigma).square().sum() / 2
    if priors.rotation_sigma_rad is not None:
        turn = roma.rotmat_to_rotvec(terms.R_world_from_cam.mT @ placement.R_world_from_cam)
        total = total + (turn / priors.rotation_sigma_rad).square().sum() / 2
    if priors.centre_sigma is not None:
        total = total + ((placement.centre - terms.centre) / priors.centre_sigma).square().sum() / 2
    return total / terms.num_observations.clamp(min=1)
