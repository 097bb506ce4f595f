"""The few unknowns of views and pairs that a step moves, and how they move points.

Rotations are vectors that turn the world about a centre, from the left: about the middle of the points turns
and translations hardly couple. Per view 6 for the pose, then logarithms of the focals, then the principal
point in pixels; per pair 6, the logarithm of the scale, then a stretch that keeps the volume.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from torch import Tensor

from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import (
    pair_maps,
    pair_pose_values,
    pair_scales,
    pair_similarities,
    pose_values,
    scale_is_normalised,
    view_maps,
    view_poses,
)
from align.dense.terms import DenseTerms

SCALE = 6
"""Which unknown of a pair is the logarithm of its scale."""
_STRETCH = torch.tensor([1.0, 1, -2], dtype=torch.float64) / 3
"""Of the logarithms of x, y and z."""


@dataclass(frozen=True, slots=True)
class Unknowns:
    """How the vector of N unknowns is made up: first the views', then the pairs'."""

    num_views: int
    num_pairs: int
    per_view: int
    per_pair: int
    centre: Tensor  # (3,), world, double
    options: DenseOptions
    frozen: Frozen

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.num_views * self.per_view + self.num_pairs * self.per_pair

    @property
    def normalised(self) -> bool:
        """Whether the pairs' scales are divided by their mean."""
        return scale_is_normalised(self.frozen)

    def of_view(self, view: int) -> np.ndarray:
        """Return the places (per_view,) of a view's unknowns."""
        return view * self.per_view + np.arange(self.per_view)

    def of_pairs(self, pairs: Tensor) -> np.ndarray:
        """Return the places (P, per_pair) of the unknowns of pairs (P,)."""
        first = self.num_views * self.per_view + self.per_pair * pairs.numpy()
        return first[:, None] + np.arange(self.per_pair)


def unknowns_of(terms: DenseTerms, centre: Tensor, frozen: Frozen) -> Unknowns:
    """Return which unknowns an alignment has."""
    options = terms.options
    per_view = 6 + (2 if options.separate_focals else 1) + (2 if options.free_principal_point else 0)
    per_pair = 8 if options.adaptors else 7
    return Unknowns(len(terms.sizes), len(terms.edges), per_view, per_pair, centre, options, frozen)


def free_unknowns(terms: DenseTerms, unknowns: Unknowns) -> np.ndarray:
    """Return which unknowns (N,) bool move: not what is frozen or what nothing is said of, nor what the
    choice of a world leaves open: one pose, and the scale of one pair when scales have a norm.
    """
    frozen = unknowns.frozen
    num_focals = 2 if unknowns.options.separate_focals else 1
    free = np.zeros(unknowns.size, bool)
    said = torch.zeros(unknowns.num_pairs, dtype=torch.bool)
    for k, view in enumerate(terms.views):
        here = unknowns.of_view(k)
        if view.pixel.numel():
            said[view.pair] |= view.num_present > 0
            free[here[:6]] = k not in frozen.poses
            free[here[6 : 6 + num_focals]] = k not in frozen.focals
            free[here[6 + num_focals :]] = k not in frozen.principal_points
    free[unknowns.of_pairs(said.nonzero()[:, 0])] = True
    seen = [k for k, view in enumerate(terms.views) if view.pixel.numel()]
    if seen and not frozen.poses:
        free[unknowns.of_view(seen[0])[:6]] = False
    if unknowns.normalised:
        free[unknowns.of_pairs(said.nonzero()[:1, 0])[:, SCALE]] = False
    return free


def view_tangents(parameters: DenseParameters, unknowns: Unknowns) -> Tensor:
    """Return the derivatives (V, per_view, 3, 4) of the views' maps by their unknowns, double."""
    maps = view_maps(parameters, unknowns.options)
    rigid, _ = _rigid_tangents(maps, unknowns.centre)
    focal = maps.new_zeros(len(maps), 2, 3, 4)
    # A longer focal shrinks an axis; the principal point's part of the third column holds it too.
    for axis in range(2):
        offset = 10 * parameters.principal_points[:, axis, None]
        focal[:, axis, :, axis] = -maps[..., axis]
        focal[:, axis, :, 2] = offset * maps[..., axis]
    parts = [rigid, focal if unknowns.options.separate_focals else focal.sum(1, keepdim=True)]
    if unknowns.options.free_principal_point:
        point = maps.new_zeros(len(maps), 2, 3, 4)
        point[:, 0, :, 2], point[:, 1, :, 2] = -maps[..., 0], -maps[..., 1]
        parts.append(point)
    return torch.cat(parts, 1)


def pair_tangents(parameters: DenseParameters, unknowns: Unknowns) -> Tensor:
    """Return the derivatives (E, per_pair, 3, 4) of the pairs' maps by their unknowns, double."""
    maps = pair_maps(parameters, unknowns.options, unknowns.normalised)
    rigid, about_centre = _rigid_tangents(maps, unknowns.centre)
    parts = [rigid, about_centre[:, None]]
    if unknowns.options.adaptors:
        parts.append(torch.cat([maps[..., :3] * _STRETCH, torch.zeros_like(maps[..., 3:])], 2)[:, None])
    return torch.cat(parts, 1)


def _rigid_tangents(maps: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """Return the derivatives (B, 6, 3, 4) of maps (B, 3, 4) by turns about the centre and translations, and
    the maps as seen from the centre.
    """
    about_centre = maps.clone()
    about_centre[..., 3] -= centre
    axes = torch.eye(3).to(maps)
    turns = torch.linalg.cross(axes[None, :, :, None], about_centre[:, None], dim=2)
    shifts = maps.new_zeros(len(maps), 3, 3, 4)
    shifts[..., 3] = axes
    return torch.cat([turns, shifts], 1), about_centre


def moved(parameters: DenseParameters, unknowns: Unknowns, step: np.ndarray) -> DenseParameters:
    """Return the parameters after a step (N,); depths stay. What steps of normed scales have in common has no
    effect.
    """
    options, centre = unknowns.options, unknowns.centre
    views, pairs = torch.from_numpy(step).split(
        [unknowns.num_views * unknowns.per_view, unknowns.num_pairs * unknowns.per_pair]
    )
    views, pairs = views.view(-1, unknowns.per_view), pairs.view(-1, unknowns.per_pair)
    poses = view_poses(parameters.poses)
    num_focals = parameters.log_focals.shape[1]
    log_focals = parameters.log_focals + options.focal_break * views[:, 6 : 6 + num_focals]
    principal_points = parameters.principal_points
    if options.free_principal_point:
        principal_points = principal_points + views[:, 6 + num_focals :] / 10
    adaptors = parameters.pair_adaptors
    if options.adaptors:
        adaptors = adaptors + options.adaptor_break * pairs[:, SCALE + 1 :] * _STRETCH[1:]
    scale = pair_scales(parameters.pair_poses, options, unknowns.normalised)
    similarities = pair_similarities(parameters.pair_poses, options, unknowns.normalised)
    log_factor = pairs[:, SCALE]
    if unknowns.normalised:
        # Left to the norm, the common part would shrink the world about its origin, not its centre.
        log_factor = log_factor - log_factor.mean()
    factor = log_factor.exp()
    similarities[:, :3, :3] /= scale[:, None, None]
    R, t = _turned(similarities, pairs, factor, centre)
    return replace(
        parameters,
        pair_poses=pair_pose_values(R, t, scale * factor),
        pair_adaptors=adaptors,
        poses=pose_values(*_turned(poses, views, torch.ones_like(views[:, 0]), centre)),
        log_focals=log_focals,
        principal_points=principal_points,
    )


def _turned(poses: Tensor, step: Tensor, factor: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rotations and translations of poses (B, 4, 4) turned about the centre, then moved away from
    it by factors (B,), then shifted.
    """
    turn = roma.rotvec_to_rotmat(step[:, :3])
    about_centre = (turn @ (poses[:, :3, 3] - centre)[..., None])[..., 0]
    return turn @ poses[:, :3, :3], factor[:, None] * about_centre + centre + step[:, 3:6]
