"""Matches of a pair from its decoded descriptors (docs/pair_networks.md, "Matches of a pair")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pairs.matching.descriptor_map import DescriptorMap, grid_pixels
from pairs.matching.fast_reciprocal import Search, prepare_search, reciprocal_from_grid, reciprocal_from_seeds
from pairs.matching.merge import merge_pairs, pixel_xy
from pairs.matching.nearest import MakeFinder, by_dot_product
from pairs.prediction.predictions import Matches

Run = tuple[DescriptorMap, DescriptorMap]
"""The maps of a and b from one decode, whichever of them was decoded first."""


@dataclass(frozen=True, slots=True)
class DescriptorMatches:
    """Matched pixels of a pair (a, b), distinct, sorted by pixel of a, then of b (row by row)."""

    xy_a: Tensor  # (M, 2) int64
    xy_b: Tensor  # (M, 2) int64
    conf: Tensor  # (M,)


def symmetric_matches(
    runs: Sequence[Run], subsample: int = 8, make_finder: MakeFinder = by_dot_product
) -> DescriptorMatches:
    """Return the matches of a pair from both orders of decoding, (a, b) and (b, a), each searched from both
    sides on a grid.

    Confidence: geometric mean of both descriptors' in the first run that has the match. Descriptors outside
    the masks are never compared.
    """
    found, confs = [], []
    for a, b in runs:
        pairs = _from_both_sides(prepare_search(a, b, make_finder), subsample)
        conf_a, conf_b = _conf_at(a, pairs[:, 0]), _conf_at(b, pairs[:, 1])
        found.append(pairs)
        # Of the same decode: each run has a confidence scale of its own.
        confs.append((conf_a * conf_b).sqrt())
    return _merged(torch.cat(found), torch.cat(confs), runs[0])


def single_run_matches(
    a: DescriptorMap,
    b: DescriptorMap,
    subsample: int = 8,
    tolerance_px: float = 0,
    make_finder: MakeFinder = by_dot_product,
) -> DescriptorMatches:
    """Return the matches of one decode, searched from both sides on a grid; confidence: the smaller of both
    descriptors'.

    With a tolerance the grid's pixels themselves are matched, if one round trip brings them back closer than
    it. For parity with published localisation; no command uses it.
    """
    return _of_one_run(_from_both_sides(prepare_search(a, b, make_finder), subsample, tolerance_px), (a, b))


def seeded_matches(
    a: DescriptorMap,
    b: DescriptorMap,
    seeds: Tensor,
    tolerance_px: float,
    make_finder: MakeFinder = by_dot_product,
) -> DescriptorMatches:
    """Return the matches of chosen pixels of a, flat (N,), that one round trip brings back closer than the
    tolerance.

    Confidence: the smaller of both descriptors'. For parity with published localisation; no command uses it.
    """
    return _of_one_run(reciprocal_from_seeds(prepare_search(a, b, make_finder), seeds, tolerance_px), (a, b))


def grid_matches(
    a: DescriptorMap, b: DescriptorMap, subsample: int = 8, make_finder: MakeFinder = by_dot_product
) -> DescriptorMatches:
    """Return the matches of one decode that walks from a grid in a settle on; confidence as that of seeds.

    For parity with published localisation; no command uses it.
    """
    return _of_one_run(reciprocal_from_grid(prepare_search(a, b, make_finder), subsample), (a, b))


def pair_score(confs: Sequence[Tensor], matches: DescriptorMatches) -> tuple[float, float, int]:
    """Return how well a pair fits: geometric mean of the four pointmaps' mean confidences, sum of the
    matches' confidences, number of matches. For parity with the published score; no command uses it.
    """
    product = torch.stack([conf.mean() for conf in confs]).double().prod()
    return float(product ** (1 / len(confs))), float(matches.conf.sum()), len(matches.conf)


def as_matches(found: DescriptorMatches) -> Matches:
    """Return the matches as the store and the aligner have them."""
    xy_a, xy_b, conf = (
        tensor.detach().cpu().double().numpy() for tensor in (found.xy_a, found.xy_b, found.conf)
    )
    return Matches(xy_a, xy_b, conf)


def _from_both_sides(search: Search, subsample: int, tolerance_px: float = 0) -> Tensor:
    """Return pairs of flat pixels (K, 2): those found from a's grid, then those found from b's."""
    if tolerance_px > 0:
        sides = [
            reciprocal_from_seeds(s, grid_pixels(s.a.size, subsample), tolerance_px)
            for s in (search, search.reversed())
        ]
    else:
        sides = [reciprocal_from_grid(s, subsample) for s in (search, search.reversed())]
    return torch.cat([sides[0], sides[1].flip(1)])


def _conf_at(descriptors: DescriptorMap, pixels: Tensor) -> Tensor:
    if descriptors.conf is None:
        return torch.ones(len(pixels), dtype=descriptors.desc.dtype, device=pixels.device)
    return descriptors.conf.flatten()[pixels]


def _of_one_run(pairs: Tensor, run: Run) -> DescriptorMatches:
    """Return pairs of flat pixels (K, 2) with the smaller confidence of both, as published where there is a
    single decode.
    """
    conf = torch.minimum(_conf_at(run[0], pairs[:, 0]), _conf_at(run[1], pairs[:, 1]))
    return _merged(pairs, conf, run)


def _merged(pairs: Tensor, conf: Tensor, run: Run) -> DescriptorMatches:
    distinct, first = merge_pairs(pairs)
    return DescriptorMatches(
        pixel_xy(distinct[:, 0], run[0].size), pixel_xy(distinct[:, 1], run[1].size), conf[first]
    )
