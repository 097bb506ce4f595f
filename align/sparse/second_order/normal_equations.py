"""From the rows of links to normal equations (the reference's losses by damped least squares)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from align.solver.adjoint import cross_matrix, minus_adjoint
from align.solver.least_squares import Equations
from align.sparse.robust import Robust, robust_slope
from align.sparse.second_order.jacobians import (
    DEPTH,
    ERROR,
    POSE,
    SOURCE_CENTRE,
    SOURCE_FOCAL,
    TARGET_CENTRE,
    TARGET_FOCAL,
    TARGET_SIZE,
    Seen,
)
from align.sparse.second_order.observations import Links
from align.sparse.second_order.state import Optics, pivots

_PER_VIEW = 10
_OWN_SIZE, _OWN_FOCAL, _OWN_CENTRE = 6, 7, slice(8, 10)
"""After the pose's six: the order of `shared_columns`."""


@dataclass(frozen=True, slots=True)
class Lones:
    """The anchors whose depths move each on its own: up to B a view. Slot s of a view is its s-th partner."""

    anchor: np.ndarray  # (V, B) int; -1 is padding
    place: np.ndarray  # (A,) int, in its view; -1 for an anchor that is none
    slot: np.ndarray  # (V, V) int, of a direction (source, target); -1 where there is none
    num_slots: int


@dataclass(frozen=True, slots=True)
class LinkSums:
    """Sums of products of weighted rows, and how rows follow from the unknowns of source and target."""

    links: Links
    by_direction: np.ndarray  # (D, R, R)
    by_run: np.ndarray  # (U, R), products with the log depth's row; U = 0 where no depth is alone
    spread: np.ndarray  # (D, R, 20), that of the error is 0


def lones_of(all_links: Sequence[Links], anchor_view: np.ndarray, free: np.ndarray) -> Lones:
    """Return the anchors on which links hang, in the views (V,) whose depths are free."""
    used, slot = np.zeros(len(anchor_view), bool), np.full((len(free), len(free)), -1)
    for links in all_links:
        used[links.run_anchor] = True
        slot[tuple(links.direction.T)] = 0
    source, target = np.nonzero(slot == 0)
    slot[source, target] = np.arange(len(source)) - np.searchsorted(source, source)
    anchors = np.flatnonzero(used & free[anchor_view])
    view = anchor_view[anchors]
    rank = np.arange(len(anchors)) - np.searchsorted(view, view)
    anchor = np.full((len(free), int(rank.max(initial=-1)) + 1), -1)
    place = np.full(len(anchor_view), -1)
    anchor[view, rank], place[anchors] = anchors, rank
    return Lones(anchor, place, slot, int(slot.max(initial=-1)) + 1)


def pull_of(seen: Seen, weight: np.ndarray, robust: Robust, least: float) -> np.ndarray:
    """Return the weights (T, S) with which least squares have the robust function's gradient.

    Its own quadratic majoriser: far stiffer than the function where the distance is small, hence never
    surprised. Distances below `least` count as that.
    """
    distance = np.maximum(seen.distance, least)
    return weight * robust_slope(robust, torch.from_numpy(distance)).numpy() / distance


def summed(links: Links, rows: np.ndarray, pull: np.ndarray, alone: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of products of rows (T, R, K, S) by direction, and where depths are `alone` those with
    the log depth by run.
    """
    rows = rows * np.sqrt(pull)[:, None, None]
    num_tiles, num_rows, _, num_slots = rows.shape
    flat = rows.reshape(num_tiles, num_rows, -1)
    by_direction = np.add.reduceat(flat @ flat.transpose(0, 2, 1), links.tile_start[:-1], axis=0)
    if not alone:
        return by_direction, np.zeros((0, num_rows))
    with_depth = np.einsum("trks,tks->rts", rows, rows[:, DEPTH]).reshape(num_rows, num_tiles * num_slots)
    return by_direction, np.add.reduceat(with_depth, links.run_start, axis=1).T


def spread_of(links: Links, R: np.ndarray, t: np.ndarray, optics: Optics, num_rows: int) -> np.ndarray:
    """Return how the rows of every direction with the relative pose R, t follow from the unknowns of source
    and target (D, R, 20).
    """
    source, target = links.direction.T
    basis = pose_basis(pivots(optics))
    spread = np.zeros((len(source), num_rows, 2 * _PER_VIEW))
    own, other = spread[..., :_PER_VIEW], spread[..., _PER_VIEW:]
    own[:, POSE, :7] = minus_adjoint(R, t) @ basis[source]
    other[:, POSE, :7] = basis[target]
    own[:, DEPTH, _OWN_SIZE] = 1
    if links.kind == "own point":
        other[:, TARGET_SIZE, _OWN_SIZE] = 1
        return spread
    if num_rows > SOURCE_FOCAL:
        own[:, SOURCE_FOCAL, _OWN_FOCAL], other[:, TARGET_FOCAL, _OWN_FOCAL] = (
            optics.focal_felt[source],
            optics.focal_felt[target],
        )
    if num_rows > SOURCE_CENTRE.start:
        own[:, SOURCE_CENTRE, _OWN_CENTRE] = other[:, TARGET_CENTRE, _OWN_CENTRE] = np.eye(2)
    return spread


def pose_basis(pivot: np.ndarray) -> np.ndarray:
    """Return the left perturbation (V, 6, 7) of cam_from_world by a turn about the pivot, its shift, and
    growth about it.
    """
    basis = np.zeros((len(pivot), 6, 7))
    basis[:, :, :6] = np.eye(6)
    basis[:, 3:, :3] = cross_matrix(pivot)
    basis[:, 3:, 6] = pivot
    return basis


def shared_equations(sums: LinkSums, columns: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix (N, N) and gradient (N,) of the shared unknowns; `columns` are those of the views (V,
    10).
    """
    transposed = sums.spread.transpose(0, 2, 1)
    local = transposed @ sums.by_direction @ sums.spread
    gradient = (transposed @ sums.by_direction[:, :, ERROR, None])[..., 0]
    at = columns[sums.links.direction].reshape(-1, 2 * _PER_VIEW)
    cells = at[:, :, None] * size + at[:, None]
    matrix = np.bincount(cells.ravel(), local.ravel(), size**2).reshape(size, size)
    return matrix, np.bincount(at.ravel(), gradient.ravel(), size)


def with_lones(
    matrix: np.ndarray, gradient: np.ndarray, lones: Lones, all_sums: Sequence[LinkSums], columns: np.ndarray
) -> Equations:
    """Return the equations of all unknowns, given those (N, N), (N,) of the shared ones."""
    num_views, num_lone = lones.anchor.shape
    num_slots, num_rows, size = lones.num_slots, all_sums[0].spread.shape[1], len(gradient)
    placed = np.zeros((num_views, num_slots, num_lone, num_rows))
    spread = np.zeros((num_views, num_slots, num_rows, 2 * _PER_VIEW))
    partner = np.full((num_views, num_slots), -1)
    for sums in all_sums:
        source, target = sums.links.direction.T
        slot, place = lones.slot[source, target], lones.place[sums.links.run_anchor]
        run = np.flatnonzero(place >= 0)
        direction = sums.links.run_direction[run]
        placed[source[direction], slot[direction], place[run]] += sums.by_run[run]
        spread[source, slot], partner[source, slot] = sums.spread, target
    # A depth of its own leaves nothing to the size of its view.
    kept = [
        *range(6),
        *((_OWN_FOCAL,) if num_rows > SOURCE_FOCAL else ()),
        *(range(8, 10) if num_rows > SOURCE_CENTRE.start else ()),
    ]
    coupled = placed @ spread[..., [*kept, *(_PER_VIEW + k for k in kept)]]  # (V, slots, B, own and other)
    own, other = (
        coupled[..., : len(kept)].sum(1),
        coupled[..., len(kept) :].transpose(0, 2, 1, 3).reshape(num_views, num_lone, -1),
    )
    others = np.where(partner[..., None] >= 0, columns[partner][..., kept], size).reshape(num_views, -1)
    total = placed.sum(1)
    diagonal, pull = total[..., DEPTH], total[..., ERROR]
    # Padding, and depths that no error depends on, which stay.
    still = (lones.anchor < 0) | ~(diagonal > 0)
    return Equations(
        matrix=matrix,
        gradient=gradient,
        lone_diagonal=np.where(still, 1, diagonal),
        lone_gradient=np.where(still, 0, pull),
        coupling=np.where(still[..., None], 0, np.concatenate([own, other], 2)),
        columns=np.concatenate([columns[:, kept], others], 1),
    )


def without_lones(matrix: np.ndarray, gradient: np.ndarray) -> Equations:
    """Return the equations of shared unknowns alone."""
    nothing = np.zeros((0, 0))
    return Equations(matrix, gradient, nothing, nothing, np.zeros((0, 0, 0)), np.zeros((0, 0), int))
