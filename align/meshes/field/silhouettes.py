"""Which silhouettes are to be believed, and what they leave of a coarse lattice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from align.meshes.field.projection import outside_cone, projected
from align.meshes.field.votes import ViewVotes
from align.meshes.field.witnesses import CutOff, cut_off_parts
from pairs.silhouettes.visual_hull import Lattice

_CARVES = 0.1
"""Share of the other masks that a silhouette may leave uncovered before it is left out. The masks of good
sets cover each other to 0.998 and more."""
_LOOSE = 1.0
"""Nodes that a place may be outside: the hull of thin parts falls between the nodes."""
_CELL = 1.5
"""Nodes that a cell of a mask is wide: every cell of a covered mask has a node."""
_FEW = 3


class Contradiction(NamedTuple):
    """A silhouette that carves the object away."""

    view: int
    share: float
    """Of the other masks' pixels that it alone, or with few others, leaves uncovered."""


class Believed(NamedTuple):
    """Votes of all views, of whose silhouettes those are left out that would carve the object away."""

    votes: tuple[ViewVotes, ...]
    inside: np.ndarray  # (n, 3) float32, nodes of the lattice that the silhouettes leave
    wrong: tuple[Contradiction, ...]
    cut_off: tuple[CutOff, ...]

    @property
    def left_out(self) -> tuple[int, ...]:
        """Numbers of the views whose silhouettes are."""
        return tuple(each.view for each in (*self.wrong, *self.cut_off))


def believed(votes: Sequence[ViewVotes], lattice: Lattice, unit: float) -> Believed:
    """Return the votes without the silhouettes that contradict the other silhouettes, or the other depths;
    `unit` is the footprint.
    """
    nodes = coarse_nodes(lattice)
    outside = outside_all(votes, lattice, nodes)
    wrong = contradictions(votes, lattice, nodes, outside)
    kept = _without(votes, [each.view for each in wrong])
    cut_off = cut_off_parts(kept, lattice, unit)
    kept = _without(kept, [each.view for each in cut_off])
    outside[[each.view for each in (*wrong, *cut_off)]] = 0
    return Believed(kept, nodes[:, outside.max(0) <= _LOOSE].T, wrong, cut_off)


def _without(votes: Sequence[ViewVotes], views: Sequence[int]) -> tuple[ViewVotes, ...]:
    return tuple(replace(view, outline=None) if k in views else view for k, view in enumerate(votes))


def coarse_nodes(lattice: Lattice) -> np.ndarray:
    """Return the nodes (3, n) float32 of a lattice, counted in nodes."""
    return np.indices(lattice.shape, np.float32).reshape(3, -1)


def outside_all(votes: Sequence[ViewVotes], lattice: Lattice, nodes: np.ndarray) -> np.ndarray:
    """Return how many cells (V, n) float32 nodes (3, n) are outside each silhouette; 0 of views without."""
    outside = np.zeros((len(votes), nodes.shape[1]), np.float32)
    for k, view in enumerate(votes):
        if view.outline is not None:
            outside[k] = outside_cone(view, lattice, projected(view, lattice, nodes))
    return outside


def contradictions(
    votes: Sequence[ViewVotes], lattice: Lattice, nodes: np.ndarray, outside: np.ndarray
) -> tuple[Contradiction, ...]:
    """Return the silhouettes to leave out, worst first.

    Where a mask's pixel is covered by no node of the hull, those silhouettes are to blame that exclude the
    nodes on its ray which the fewest exclude. Masks that agree leave no pixel uncovered, however much each of
    them carves.
    """
    carved = outside > _LOOSE
    seeing = [k for k, view in enumerate(votes) if view.outline is not None]
    # What nearly all exclude decides nothing.
    decisive = carved.sum(0) <= max(_FEW, len(seeing) // 3)
    carved, nodes = carved[:, decisive], nodes[:, decisive]
    cells = {k: _cells(votes[k], lattice, nodes) for k in seeing}
    found = []
    while len(seeing) > 2:
        blame = np.zeros(len(votes))
        excluding = carved[seeing].sum(0)
        for k in seeing:
            blame += _blamed(cells[k], carved, excluding)
        worst = int(np.argmax(blame))
        share = float(blame[worst]) / (len(seeing) - 1)
        if share <= _CARVES:
            break
        found.append(Contradiction(worst, share))
        seeing.remove(worst)
        carved[worst] = False
    return tuple(found)


def _cells(view: ViewVotes, lattice: Lattice, nodes: np.ndarray) -> np.ndarray:
    """Return the cell (n,) of a view's mask in which each node lies; -1 beside the mask."""
    at = projected(view, lattice, nodes)
    h, w = view.mask.shape
    depth = float(np.median(at.z[at.ahead])) if at.ahead.any() else 1.0
    width = max(1, int(np.ceil(_CELL * lattice.spacing * view.K[0, 0] / depth)))
    across, down = w // width, h // width
    object_ = view.mask[: down * width, : across * width].astype(np.float32)
    # Only cells that are all object: the others are covered at their object's side alone.
    full = cv2.resize(object_, (across, down), interpolation=cv2.INTER_AREA) > 0.99
    column = np.floor((at.x + 0.5) / width)
    row = np.floor((at.y + 0.5) / width)
    shown = at.ahead & (column >= 0) & (column < across) & (row >= 0) & (row < down)
    cell = np.where(shown, row * across + column, 0).astype(np.intp)
    return np.where(shown & full.ravel()[cell], cell, -1)


def _blamed(cell: np.ndarray, carved: np.ndarray, excluding: np.ndarray) -> np.ndarray:
    """Return the share (V,) of a mask's cells that each silhouette leaves uncovered."""
    inside = cell >= 0
    if not inside.any():
        return np.zeros(len(carved))
    least = np.full(cell.max() + 1, np.iinfo(np.int32).max)
    np.minimum.at(least, cell[inside], excluding[inside])
    deciding = np.flatnonzero(inside & (excluding > 0))
    deciding = deciding[excluding[deciding] == least[cell[deciding]]]
    nodes_of_cell = np.bincount(cell[deciding], minlength=len(least))
    share = 1 / nodes_of_cell[cell[deciding]]
    return carved[:, deciding] @ share / (least < np.iinfo(np.int32).max).sum()
