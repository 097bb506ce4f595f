"""What the reference's losses are sums over, in tiles for damped least squares
(docs/sparse_alignment.md, "Losses").

An observation is a pixel of one view (the source), at the depth of its anchor, about which another view (the
target) says something: on which pixel it sees it (reprojection), where its own match lies in space
(point-to-point), or where a pointmap predicts it (point-to-pointmap). Observations are ordered by
direction (source, target), then by anchor: every sum is one over tiles or over runs of one direction and
anchor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from align.solver.runs import run_bounds, whole_runs
from align.sparse.losses import FallbackTerms, MatchTerms
from align.sparse.tiles import TILE, tiling, to_tiles

Kind = Literal["reprojection", "point-to-point", "point-to-pointmap"]
_PIECE = 64
"""Tiles: what is made of them stays in a processor's cache."""


@dataclass(frozen=True, slots=True)
class TiledObservations:
    """Observations in T tiles of S entries, D directions and U runs; entries of weight 0 are padding."""

    kind: Kind
    direction: np.ndarray  # (D, 2) int, (source, target)
    tile_start: np.ndarray  # (D + 1,) int, into the tiles
    pixel: np.ndarray  # (T, 3, S), homogeneous, in the source
    anchor: np.ndarray  # (T, S) int, into all anchors
    ratio_minus_one: np.ndarray  # (T, S), depth over the anchor's, less 1, at the base focal
    seen: np.ndarray  # (T, 2 or 3, S)
    """The pixel in the target, or the point in its frame: own points in units of its depth scale, predictions
    in the world's."""
    weight: np.ndarray  # (T, S)
    """As in the loss, which is a mean: divided by their sum."""
    run_start: np.ndarray  # (U,) int, into the T S entries
    run_direction: np.ndarray  # (U,) int
    run_anchor: np.ndarray  # (U,) int

    @property
    def group(self) -> np.ndarray:
        """(T,) direction of every tile."""
        return np.repeat(np.arange(len(self.direction)), np.diff(self.tile_start))

    @property
    def count(self) -> int:
        """How many observations count."""
        return int(np.count_nonzero(self.weight))


def reprojection_observations(terms: MatchTerms) -> TiledObservations:
    """Return every match as two observations of pixels: each end is seen by the other end's view."""
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
                terms.ends.ratio_minus_one[:, end],
                target,
                terms.pixel_weight[:, end],
            )
        )
    return _tiled("reprojection", *(np.concatenate(parts) for parts in zip(*flat)))


def point_to_point_observations(terms: MatchTerms, own_point: np.ndarray) -> TiledObservations:
    """Return every match as one observation from its first end to the second end's point (T, 3, S), in its
    view's depth scale.
    """
    view = terms.ends.view[terms.ends.group].numpy()
    pixel, anchor, ratio_minus_one = (
        terms.ends.pixel[:, 0],
        terms.ends.anchor[:, 0],
        terms.ends.ratio_minus_one[:, 0],
    )
    return _tiled(
        "point-to-point",
        *_flat(
            view[:, 0], view[:, 1], pixel, anchor, ratio_minus_one, torch.from_numpy(own_point), terms.weight
        ),
    )


def point_to_pointmap_observations(terms: FallbackTerms, share: float) -> TiledObservations:
    """Return the fallback's points as observations of their predictions, weighing a `share` of the whole."""
    source = terms.ends.view[terms.ends.group, 0].numpy()
    target = terms.target_view[terms.ends.group].numpy()
    pixel, anchor, ratio_minus_one = (
        terms.ends.pixel[:, 0],
        terms.ends.anchor[:, 0],
        terms.ends.ratio_minus_one[:, 0],
    )
    obs = _tiled(
        "point-to-pointmap",
        *_flat(source, target, pixel, anchor, ratio_minus_one, terms.prediction, terms.weight),
    )
    return replace(obs, weight=share * obs.weight)


def tiled_pieces(obs: TiledObservations) -> Iterator[TiledObservations]:
    """Yield the same observations in pieces of whole directions."""
    for first, last in whole_runs(obs.tile_start, _PIECE):
        start, stop = obs.tile_start[first], obs.tile_start[last]
        runs = slice(*np.searchsorted(obs.run_direction, (first, last)))
        yield TiledObservations(
            obs.kind,
            obs.direction[first:last],
            obs.tile_start[first : last + 1] - start,
            *(
                each[start:stop]
                for each in (obs.pixel, obs.anchor, obs.ratio_minus_one, obs.seen, obs.weight)
            ),
            run_start=obs.run_start[runs] - start * TILE,
            run_direction=obs.run_direction[runs] - first,
            run_anchor=obs.run_anchor[runs],
        )


def _flat(source: np.ndarray, target: np.ndarray, *tiles: torch.Tensor) -> tuple[np.ndarray, ...]:
    """Return source and target (M,) of every entry of tiles with views (T,), and the tiles' values
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
    ratio_minus_one: np.ndarray,
    seen: np.ndarray,
    weight: np.ndarray,
) -> TiledObservations:
    """Return the observations of positive weight in order."""
    total, anchor = weight.sum(), anchor.astype(int)
    kept = np.flatnonzero(weight)
    order = kept[np.lexsort((anchor[kept], target[kept], source[kept]))]
    source, target, pixel, anchor, ratio_minus_one, seen, weight = (
        x[order] for x in (source, target, pixel, anchor, ratio_minus_one, seen, weight)
    )
    direction_start = run_bounds(source, target)
    first, lengths = direction_start[:-1], np.diff(direction_start)
    tiles = tiling(torch.from_numpy(lengths))
    run = run_bounds(source, target, anchor)[:-1]
    entry = (tiles.tile * TILE + tiles.position).numpy()

    def tiled(values: np.ndarray) -> np.ndarray:
        return to_tiles(tiles, torch.from_numpy(values)).numpy()

    return TiledObservations(
        kind=kind,
        direction=np.stack([source, target], 1)[first],
        tile_start=np.concatenate([[0], np.cumsum((lengths + TILE - 1) // TILE)]),
        pixel=tiled(pixel),
        anchor=tiled(anchor),
        ratio_minus_one=tiled(ratio_minus_one),
        seen=tiled(seen),
        weight=tiled(weight / total),
        run_start=entry[run],
        run_direction=np.searchsorted(first, run, side="right") - 1,
        run_anchor=anchor[run],
    )
