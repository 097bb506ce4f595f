"""Pixels that are each other's nearest neighbours, found from a few seeds
(docs/pair_networks.md, "Fast reciprocal matching").

A seed walks to its nearest neighbour in the other picture and back until it returns to where it was. Walks
run into each other, so every nearest neighbour is looked up once and remembered, also for the walks that
start in the other picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pairs.matching.descriptor_map import Candidates, DescriptorMap, candidates, grid_pixels, positions
from pairs.matching.merge import merge_pairs, pixel_xy
from pairs.matching.nearest import Finder, MakeFinder, by_dot_product

# As published. Of 3072 seeds among random descriptors, which settle slowly, 3023 were done by then.
_ROUNDS = 10

_LookUp = Callable[[Tensor], Tensor]
"""From positions among one picture's candidates to those of their nearest neighbours among the other's."""


@dataclass(frozen=True, slots=True)
class Search:
    """Two pictures ready to be searched. Memory: O(H W) beside the finder's."""

    a: Candidates
    b: Candidates
    to_b: _LookUp
    to_a: _LookUp

    def reversed(self) -> Search:
        """Return the same with the pictures exchanged; what one direction has found the other one knows."""
        return Search(self.b, self.a, self.to_a, self.to_b)


@dataclass(frozen=True, slots=True)
class _Walk:
    """Where N seeds went; positions among the candidates."""

    before: Tensor  # (N,) in a, at the start of the last round
    here: Tensor  # (N,) in a, at its end
    there: Tensor  # (N,) in b
    settled: Tensor  # (N,) bool: came back to where it was
    steps: Tensor  # (K, 2) in a: from where to where every unsettled seed went, round after round


def prepare_search(a: DescriptorMap, b: DescriptorMap, make_finder: MakeFinder = by_dot_product) -> Search:
    """Return two descriptor maps ready to be searched, inside their masks."""
    in_a, in_b = candidates(a), candidates(b)
    if len(in_a.pixel) == 0 or len(in_b.pixel) == 0:
        # Without candidates on one side there are none on the other: no seed is left, and no finder need
        # answer.
        in_a, in_b = (Candidates(side.desc[:0], side.pixel[:0], side.size) for side in (in_a, in_b))
        return Search(in_a, in_b, torch.zeros_like, torch.zeros_like)
    return Search(
        in_a,
        in_b,
        _remembered(in_a.desc, make_finder(in_b.desc)),
        _remembered(in_b.desc, make_finder(in_a.desc)),
    )


def reciprocal_from_grid(search: Search, subsample: int) -> Tensor:
    """Return flat pixels (M, 2) of a and b that are each other's nearest neighbours, found from a grid in a,
    distinct and sorted.

    Seeds that have not settled after ten rounds are dropped.
    """
    return _settled_pairs(search, _walk(search, _grid_seeds(search, subsample), _ROUNDS))


def reciprocal_from_seeds(search: Search, seeds: Tensor, tolerance_px: float = 0) -> Tensor:
    """Return flat pixels (M, 2) of a and b for those of the seeds, flat pixels (N,) of a, that come back
    after one round, distinct and sorted.

    With a tolerance the seeds that come back closer than it count, and stand with the neighbour in b that
    they found. Seeds outside the mask are left out.
    """
    walk = _walk(search, positions(search.a, seeds), 1)
    if tolerance_px <= 0:
        return _settled_pairs(search, walk)
    start, end = (
        pixel_xy(search.a.pixel[place], search.a.size).double() for place in (walk.before, walk.here)
    )
    near = (start - end).norm(dim=1) < tolerance_px
    return _pixel_pairs(search, walk.before[near], walk.there[near])


def basins_from_grid(search: Search, subsample: int) -> tuple[Tensor, Tensor]:
    """Return the pairs of `reciprocal_from_grid`, and (H W + 1,) int32 for every pixel of a that was passed
    the one that it led to; -1 elsewhere. For parity with the published basins; no command uses it.
    """
    walk = _walk(search, _grid_seeds(search, subsample), _ROUNDS)
    basin = torch.full(
        (search.a.size[0] * search.a.size[1] + 1,), -1, dtype=torch.int32, device=search.a.pixel.device
    )
    origin, target = search.a.pixel[walk.steps].unbind(1)
    basin[origin] = target.int()
    return _settled_pairs(search, walk), basin


def _remembered(desc: Tensor, find: Finder) -> _LookUp:
    """Return a look-up of nearest neighbours for positions in `desc`, each searched once."""
    # Walks run into each other, and those of the other direction begin where these end.
    known = torch.full((len(desc),), -1, dtype=torch.int64, device=desc.device)

    def look_up(position: Tensor) -> Tensor:
        unknown = torch.unique(position[known[position] < 0])
        if len(unknown):
            known[unknown] = find(desc[unknown])
        return known[position]

    return look_up


def _grid_seeds(search: Search, subsample: int) -> Tensor:
    return positions(search.a, grid_pixels(search.a.size, subsample))


def _walk(search: Search, start: Tensor, rounds: int) -> _Walk:
    """Let seeds, positions (N,) in a, walk for at most so many rounds, each one until it settles."""
    before, here, there = start, start.clone(), torch.full_like(start, -1)
    active = torch.ones_like(start, dtype=torch.bool)
    steps = [start.new_zeros(0, 2)]
    for _ in range(rounds):
        if not bool(active.any()):
            break
        before = here.clone()
        there[active] = search.to_b(here[active])
        here[active] = search.to_a(there[active])
        steps.append(torch.stack([before[active], here[active]], 1))
        active &= here != before
    return _Walk(before, here, there, ~active, torch.cat(steps))


def _settled_pairs(search: Search, walk: _Walk) -> Tensor:
    return _pixel_pairs(search, walk.here[walk.settled], walk.there[walk.settled])


def _pixel_pairs(search: Search, in_a: Tensor, in_b: Tensor) -> Tensor:
    return merge_pairs(torch.stack([search.a.pixel[in_a], search.b.pixel[in_b]], 1))[0]
