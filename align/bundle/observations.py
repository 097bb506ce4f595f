"""Matches as directed observations in flat arrays, sorted so that every sum is one over runs
(docs/bundle_alignment.md, "Observations").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from align.bundle.intrinsics import SharedIntrinsics
from align.measurements.canonical import CanonicalView, anchor_at
from align.measurements.gathered import PairRecord
from align.solver.runs import rank_in_run, run_bounds, whole_runs

_LEAST_DEPTH = 1e-3
"""Of the view's median depth: what is nearer is no depth."""
_PIECE = 16384
"""Observations: measured as fast from 8192 to 16384, and slower by half without pieces."""


@dataclass(frozen=True, slots=True)
class Observations:
    """M observations of a pixel of one view, at its depth, in another, for V views with up to B blocks.

    Ordered by direction (source, target), then by block: D directions, and U runs of one direction and block.
    Slot s of a view is its s-th partner.
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
    run_block: np.ndarray  # (U,) int
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


def observe(
    views: Sequence[CanonicalView],
    median: np.ndarray,
    records: Sequence[PairRecord],
    intrinsics: SharedIntrinsics,
) -> Observations:
    """Return every match of the records as two observations; a direction whose source has no depth at its
    pixel is left out.

    A block is that of an anchor. `median` (V,) are the views' median depths.
    """
    parts = [part for r in records for part in _both_ways(r, views, median)]
    source, target, index = (np.concatenate([p[k] for p in parts] + [np.zeros(0, int)]) for k in range(3))
    depth, conf = (np.concatenate([p[k] for p in parts] + [np.zeros(0)]) for k in (3, 4))
    xy, seen = (np.concatenate([p[k] for p in parts] + [np.zeros((0, 2))]) for k in (5, 6))
    # One integer a match: a single stable sort puts directions together, and within them blocks.
    key = (source * len(views) + target) * (index.max(initial=0) + 1) + index
    order = np.argsort(key, kind="stable")
    source, target, index, depth, conf, xy, seen = (
        x[order] for x in (source, target, index, depth, conf, xy, seen)
    )
    squeeze = np.stack([np.ones(len(views)), intrinsics.aspect], 1)
    direction_start = run_bounds(source, target)
    run_start = run_bounds(source, target, index)
    direction = np.stack([source, target], 1)[direction_start[:-1]]
    eliminated, blocks = _used_blocks(source[run_start[:-1]], index[run_start[:-1]], len(views))
    direction_runs = np.searchsorted(run_start, direction_start)
    return Observations(
        ray=np.ascontiguousarray(((xy - intrinsics.principal_point[source]) * squeeze[source]).T),
        seen=np.ascontiguousarray(((seen - intrinsics.principal_point[target]) * squeeze[target]).T),
        depth=depth,
        weight=conf / conf.mean() if len(conf) else conf,
        direction=direction,
        direction_start=direction_start,
        direction_runs=direction_runs,
        # Directions of one source follow each other: the slot is the rank among them.
        direction_slot=rank_in_run(direction[:, 0]),
        run_start=run_start,
        run_direction=np.repeat(np.arange(len(direction)), np.diff(direction_runs)),
        run_block=eliminated,
        block=blocks,
    )


def in_pieces(obs: Observations) -> tuple[Observations, ...]:
    """Return the same observations in pieces of whole directions, each small enough for what is made of it to
    stay in a processor's cache.
    """
    return tuple(_piece(obs, first, last) for first, last in whole_runs(obs.direction_start, _PIECE))


def _piece(obs: Observations, first: int, last: int) -> Observations:
    """Return the observations of the directions from `first` to before `last`."""
    start, runs = obs.direction_start[first], obs.direction_runs[first]
    here = slice(start, obs.direction_start[last])
    within = slice(runs, obs.direction_runs[last])
    return Observations(
        ray=obs.ray[:, here],
        seen=obs.seen[:, here],
        depth=obs.depth[here],
        weight=obs.weight[here],
        direction=obs.direction[first:last],
        direction_start=obs.direction_start[first : last + 1] - start,
        direction_runs=obs.direction_runs[first : last + 1] - runs,
        direction_slot=obs.direction_slot[first:last],
        run_start=obs.run_start[runs : obs.direction_runs[last] + 1] - start,
        run_direction=obs.run_direction[within] - first,
        run_block=obs.run_block[within],
        block=obs.block,
    )


def _both_ways(
    record: PairRecord, views: Sequence[CanonicalView], median: np.ndarray
) -> list[tuple[np.ndarray, ...]]:
    """Return source, target, block, depth, confidence and both positions of a record's usable observations,
    once in each direction.
    """
    ways = []
    ends = ((record.a, record.xy_a), (record.b, record.xy_b))
    # Both ways: each end has a depth of its own that the other view can check.
    for (source, xy), (target, seen) in (ends, ends[::-1]):
        view = views[source]
        index, ratio, usable = anchor_at(view, xy)
        depth = (view.anchor_depth.flatten()[index] * ratio / median[source]).numpy()
        keep = usable.numpy() & (depth > _LEAST_DEPTH)
        count = int(keep.sum())
        kept = tuple(x.numpy()[keep] for x in (record.conf, xy, seen))
        ways.append((np.full(count, source), np.full(count, target), index.numpy()[keep], depth[keep], *kept))
    return ways


def _used_blocks(view: np.ndarray, index: np.ndarray, num_views: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the number (U,) of each run's block among those its view uses, and the places (V, B) of these,
    ascending.
    """
    stride = int(index.max(initial=0)) + 1
    used, inverse = np.unique(view * stride + index, return_inverse=True)
    owner = used // stride
    rank = rank_in_run(owner)
    blocks = np.full((num_views, int(rank.max(initial=-1)) + 1), -1)
    blocks[owner, rank] = used % stride
    return rank[inverse], blocks
