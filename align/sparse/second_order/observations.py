"""What the reference's losses are sums over, in tiles for damped least squares (the sparse aligner's
specification, chapter 9).

A link is a pixel of one view, at the depth of its anchor, about which another view says something: on which
pixel it sees it, where its own match lies in space, or where a pointmap predicts it. Links are ordered by
direction (source, target), then by anchor: every sum is one over tiles or over runs of one direction and
anchor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from align.sparse.losses import FallbackTerms, MatchTerms
from align.sparse.tiles import TILE, tiling, to_tiles

Kind = Literal["pixel", "own point", "prediction"]
_PIECE = 64
"""Tiles: what is made of them stays in a processor's cache."""


@dataclass(frozen=True, slots=True)
class Links:
    """Links in T tiles of S slots, D directions and U runs; slots of weight 0 are padding."""

    kind: Kind
    direction: np.ndarray  # (D, 2) int, (source, target)
    tile_start: np.ndarray  # (D + 1,) int, into the tiles
    pixel: np.ndarray  # (T, 3, S), homogeneous, in the source
    anchor: np.ndarray  # (T, S) int, into all anchors
    relief: np.ndarray  # (T, S), depth over the anchor's, less 1, at the base focal
    seen: np.ndarray  # (T, 2 or 3, S)
    """The pixel in the target, or the point in its frame: own points in units of its depth scale, predictions
    in the world's."""
    weight: np.ndarray  # (T, S)
    """As in the loss, which is a mean: divided by their sum."""
    run_start: np.ndarray  # (U,) int, into the T S slots
    run_direction: np.ndarray  # (U,) int
    run_anchor: np.ndarray  # (U,) int

    @property
    def group(self) -> np.ndarray:
        """(T,) direction of every tile."""
        return np.repeat(np.arange(len(self.direction)), np.diff(self.tile_start))

    @property
    def count(self) -> int:
        """How many links count."""
        return int(np.count_nonzero(self.weight))


def sight_links(terms: MatchTerms) -> Links:
    """Return every match as two links to pixels: each end is seen by the other end's view (chapter 9.4)."""
    view = terms.ends.view[terms.ends.group].numpy()  # (T, 2)
    flat = []
    for end in range(2):
        pixel, target = terms.ends.pixel[:, end], terms.target[:, end]
        flat.append(
            _flat(
                view[:, end],
                view[:, 1 - end],
                pixel,
                terms.ends.anchor[:, end],
                terms.ends.relief[:, end],
                target,
                terms.pixel_weight[:, end],
            )
        )
    return _tiled("pixel", *(np.concatenate(parts) for parts in zip(*flat)))


def meeting_links(terms: MatchTerms, own_point: np.ndarray) -> Links:
    """Return every match as one link from its first end to the second end's point (T, 3, S), in its view's
    depth scale (chapter 9.3).
    """
    view = terms.ends.view[terms.ends.group].numpy()
    pixel, anchor, relief = terms.ends.pixel[:, 0], terms.ends.anchor[:, 0], terms.ends.relief[:, 0]
    return _tiled(
        "own point",
        *_flat(view[:, 0], view[:, 1], pixel, anchor, relief, torch.from_numpy(own_point), terms.weight),
    )


def predicted_links(terms: FallbackTerms, share: float) -> Links:
    """Return the fallback's points as links to their predictions, weighing a `share` of the whole (chapter
    9.5).
    """
    of, frame = terms.ends.view[terms.ends.group, 0].numpy(), terms.frame[terms.ends.group].numpy()
    pixel, anchor, relief = terms.ends.pixel[:, 0], terms.ends.anchor[:, 0], terms.ends.relief[:, 0]
    links = _tiled("prediction", *_flat(of, frame, pixel, anchor, relief, terms.prediction, terms.weight))
    return replace(links, weight=share * links.weight)


def in_pieces(links: Links) -> Iterator[Links]:
    """Yield the same links in pieces of whole directions."""
    first, num_slots = 0, links.weight.shape[1]
    while first < len(links.direction):
        fitting = int(np.searchsorted(links.tile_start, links.tile_start[first] + _PIECE, side="right")) - 1
        last = max(fitting, first + 1)
        start, stop = links.tile_start[first], links.tile_start[last]
        runs = slice(*np.searchsorted(links.run_direction, (first, last)))
        yield Links(
            links.kind,
            links.direction[first:last],
            links.tile_start[first : last + 1] - start,
            *(
                each[start:stop]
                for each in (links.pixel, links.anchor, links.relief, links.seen, links.weight)
            ),
            run_start=links.run_start[runs] - start * num_slots,
            run_direction=links.run_direction[runs] - first,
            run_anchor=links.run_anchor[runs],
        )
        first = last


def _flat(source: np.ndarray, target: np.ndarray, *tiles: torch.Tensor) -> tuple[np.ndarray, ...]:
    """Return source and target (M,) of every slot of tiles with views (T,), and the tiles' values
    (M, ...).
    """
    views = tuple(np.repeat(view, TILE) for view in (source, target))
    return *views, *(each.movedim(-1, 1).flatten(0, 1).double().numpy() for each in tiles)


def _tiled(
    kind: Kind,
    source: np.ndarray,
    target: np.ndarray,
    pixel: np.ndarray,
    anchor: np.ndarray,
    relief: np.ndarray,
    seen: np.ndarray,
    weight: np.ndarray,
) -> Links:
    """Return the links of positive weight in order."""
    total, anchor = weight.sum(), anchor.astype(int)
    kept = np.flatnonzero(weight)
    order = kept[np.lexsort((anchor[kept], target[kept], source[kept]))]
    source, target, pixel, anchor, relief, seen, weight = (
        x[order] for x in (source, target, pixel, anchor, relief, seen, weight)
    )
    new_direction = _changes(source, target)
    first = np.flatnonzero(new_direction)
    lengths = np.diff(np.append(first, len(source)))
    tiles = tiling(torch.from_numpy(lengths))
    run = np.flatnonzero(new_direction | _changes(anchor))
    place = (tiles.tile * TILE + tiles.slot).numpy()

    def tiled(values: np.ndarray) -> np.ndarray:
        return to_tiles(tiles, torch.from_numpy(values)).numpy()

    return Links(
        kind=kind,
        direction=np.stack([source, target], 1)[first],
        tile_start=np.concatenate([[0], np.cumsum((lengths + TILE - 1) // TILE)]),
        pixel=tiled(pixel),
        anchor=tiled(anchor),
        relief=tiled(relief),
        seen=tiled(seen),
        weight=tiled(weight / total),
        run_start=place[run],
        run_direction=np.cumsum(new_direction)[run] - 1,
        run_anchor=anchor[run],
    )


def _changes(*keys: np.ndarray) -> np.ndarray:
    """Return where (M,) an entry differs from the one before; the first does."""
    changed = np.zeros(len(keys[0]), bool)
    changed[:1] = True
    for key in keys:
        changed[1:] |= np.diff(key) != 0
    return changed
