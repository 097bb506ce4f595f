"""Matches as directed observations in flat arrays, sorted so that every sum is one over runs (the default aligner's design, chapter 2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from align.sparse.canonical import CanonicalView
from align.sparse.condense import PairRecord
from align.sparse.measured_pairs import middle_depths

_LEAST_DEPTH = 1e-3
"""Of the view's median depth: what is nearer is no depth."""


@dataclass(frozen=True, slots=True)
class Lens:
    """What is fixed of the views' intrinsics."""

    principal_point: np.ndarray  # (V, 2), pixels
    aspect: np.ndarray  # (V,)
    """Focal along x over focal along y."""
    camera: np.ndarray  # (V,) int
    """Physical camera of each view: views of one share a focal."""


@dataclass(frozen=True, slots=True)
class Observations:
    """M observations of a pixel of one view, at its depth, in another, for V views with up to B blocks.

    Ordered by direction (source, target), then by block: D directions, and U runs of one direction and block. Slot s of a view is its s-th partner.
    """

    ray: np.ndarray  # (2, M), source pixel less its principal point
    seen: np.ndarray  # (2, M), target pixel less its principal point
    depth: np.ndarray  # (M,), canonical depth over the view's median
    weight: np.ndarray  # (M,), mean 1
    direction: np.ndarray  # (D, 2) int, (source, target)
    direction_start: np.ndarray  # (D + 1,) int, into the observations
    direction_runs: np.ndarray  # (D + 1,) int, into the runs
    direction_slot: np.ndarray  # (D,) int
    run_start: np.ndarray  # (U + 1,) int, into the observations
    run_direction: np.ndarray  # (U,) int
    run_lone: np.ndarray  # (U,) int
    """Number of the run's block among those of its view that hold an observation."""
    block: np.ndarray  # (V, B) int
    """Place in the view's grid of blocks, row-major; -1 is padding."""

    @property
    def num_views(self) -> int:
        """Number of views."""
        return len(self.block)

    @property
    def run_view(self) -> np.ndarray:
        """(U,) source view of every run."""
        return self.direction[self.run_direction, 0]

    @property
    def num_slots(self) -> int:
        """Largest number of partners of a view."""
        return int(self.direction_slot.max(initial=-1)) + 1


def observe(views: Sequence[CanonicalView], records: Sequence[PairRecord], lens: Lens, block: int) -> Observations:
    """Return every match of the records as two observations; a direction whose source has no depth at its pixel is left out.

    The depth of a position between pixels is that of the nearest one. `block` is the side of a block in pixels.
    """
    middle = middle_depths(views)
    parts = [part for r in records for part in _both_ways(r, views, middle, block)]
    source, target, place = (np.concatenate([p[k] for p in parts] + [np.zeros(0, int)]) for k in range(3))
    depth, conf = (np.concatenate([p[k] for p in parts] + [np.zeros(0)]) for k in (3, 4))
    xy, seen = (np.concatenate([p[k] for p in parts] + [np.zeros((0, 2))]) for k in (5, 6))
    order = np.lexsort((place, target, source))
    source, target, place, depth, conf, xy, seen = (x[order] for x in (source, target, place, depth, conf, xy, seen))
    squeeze = np.stack([np.ones(len(views)), lens.aspect], 1)
    direction_start = _starts(source, target)
    run_start = _starts(source, target, place)
    direction = np.stack([source, target], 1)[direction_start[:-1]]
    lone, blocks = _lone_blocks(source[run_start[:-1]], place[run_start[:-1]], len(views))
    direction_runs = np.searchsorted(run_start, direction_start)
    return Observations(
        ray=np.ascontiguousarray(((xy - lens.principal_point[source]) * squeeze[source]).T),
        seen=np.ascontiguousarray(((seen - lens.principal_point[target]) * squeeze[target]).T),
        depth=depth,
        weight=conf / conf.mean() if len(conf) else conf,
        direction=direction,
        direction_start=direction_start,
        direction_runs=direction_runs,
        # Directions of one source follow each other: the slot is the place among them.
        direction_slot=np.arange(len(direction)) - np.searchsorted(direction[:, 0], direction[:, 0]),
        run_start=run_start,
        run_direction=np.repeat(np.arange(len(direction)), np.diff(direction_runs)),
        run_lone=lone,
        block=blocks,
    )


def _both_ways(record: PairRecord, views: Sequence[CanonicalView], middle: np.ndarray, block: int) -> list[tuple[np.ndarray, ...]]:
    """Return source, target, block, depth, confidence and both positions of a record's usable observations, once in each direction."""
    ways = []
    ends = ((record.a, record.xy_a.numpy()), (record.b, record.xy_b.numpy()))
    for (source, xy), (target, seen) in (ends, ends[::-1]):
        width, height = views[source].size
        x, y = np.clip(np.rint(xy).astype(int), 0, [width - 1, height - 1]).T
        depth = views[source].depth.numpy()[y, x] / middle[source]
        keep = views[source].valid.numpy()[y, x] & (depth > _LEAST_DEPTH)
        place = (y // block) * -(-width // block) + x // block
        count = int(keep.sum())
        one = (np.full(count, source), np.full(count, target), place[keep], depth[keep], record.conf.numpy()[keep], xy[keep], seen[keep])
        ways.append(one)
    return ways


def _starts(*keys: np.ndarray) -> np.ndarray:
    """Return the bounds (K + 1,) of runs of equal keys."""
    changed = np.zeros(max(len(keys[0]) - 1, 0), bool)
    for key in keys:
        changed |= np.diff(key) != 0
    first = [0] if len(keys[0]) else []
    return np.concatenate([first, np.flatnonzero(changed) + 1, [len(keys[0])]]).astype(int)


def _lone_blocks(view: np.ndarray, place: np.ndarray, num_views: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the number (U,) of each run's block among those its view uses, and the places (V, B) of these, ascending."""
    used, inverse = np.unique(np.stack([view, place], 1), axis=0, return_inverse=True)
    rank = np.arange(len(used)) - np.searchsorted(used[:, 0], used[:, 0])
    blocks = np.full((num_views, int(rank.max(initial=-1)) + 1), -1)
    blocks[used[:, 0], rank] = used[:, 1]
    return rank[inverse.ravel()], blocks
