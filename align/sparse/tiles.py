"""Ragged lists of matches as rectangular tiles, so that one batched product serves all pairs of views.

A tile holds up to 128 entries of one group (a pair, or a cross pointmap). What a group leaves of its last
tile is padding of weight 0: at most 127 entries a group, however unequal the groups are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TILE = 128
"""Entries a tile: large enough for the batched product, small enough to waste little on pairs with a few
hundred matches."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """Where the entries of consecutive groups lie."""

    group: Tensor  # (T,) int, group of every tile
    tile: Tensor  # (M,) int, tile of every entry
    position: Tensor  # (M,) int, of every entry in its tile


def tiling(lengths: Tensor) -> Tiling:
    """Return the tiles of groups with the given numbers of entries (G,)."""
    num_tiles = (lengths + TILE - 1) // TILE
    group = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), num_tiles)
    group_of_entry = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
    start = lengths.cumsum(0) - lengths
    tile_start = num_tiles.cumsum(0) - num_tiles
    rank = torch.arange(len(group_of_entry), device=lengths.device) - start[group_of_entry]
    return Tiling(group, tile_start[group_of_entry] + rank // TILE, rank % TILE)


def to_tiles(tiles: Tiling, values: Tensor, fill: float = 0) -> Tensor:
    """Return values (M, ...) in tiles (T, ..., 128); padding takes the value `fill`."""
    tail = values.shape[1:]
    out = values.new_full((len(tiles.group), TILE, *tail), fill)
    out[tiles.tile, tiles.position] = values
    return out.movedim(1, -1).contiguous()
