"""Lists of matching flat pixels: joined, and turned into positions
(docs/pair_networks.md, "Matches of a pair").
"""

from __future__ import annotations

import torch
from torch import Tensor


def merge_pairs(pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distinct pairs of flat pixels (M, 2), by the first pixel, then the second, and where each
    stands first in `pairs` (K, 2).
    """
    if len(pairs) == 0:
        return pairs, torch.zeros(0, dtype=torch.int64, device=pairs.device)
    wide = pairs.long()
    # One int64 a pair, so that sorting compares plain numbers; two maps of 4096 x 4096 fit.
    key = wide[:, 0] * (wide[:, 1].max() + 1) + wide[:, 1]
    ordered, order = torch.sort(key, stable=True)
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return pairs[order[first]], order[first]


def pixel_xy(pixel: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the positions (M, 2) int64 (x, y) of flat pixels (M,) of a map of that height and width."""
    wide = pixel.long()
    return torch.stack([wide % size[1], wide // size[1]], 1)
