"""The alignment problem as flat index arrays over all views and pairs at once
(docs/sparse_alignment.md, "Condensing matches").
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Problem:
    """V views with A anchors, N anchored points, P pairs with M matches, and R off-frame predictions with Q
    samples.

    An anchored point is one end of a match: a pixel of a view whose depth hangs on an anchor. Anchors and
    points are ordered by view, matches by pair, samples by cross pointmap. A pair stands for all the directed
    copies of it in the list of pairs; `pair_count` says how many.
    """

    size: Tensor  # (V, 2) int, (width, height)
    principal_point: Tensor  # (V, 2), pixels
    base_focal: Tensor  # (V,), pixels
    """Focal that the view's own pointmaps suggest; depth ratios were measured with it."""
    mean_conf: Tensor  # (V,)
    """Mean of the canonical confidence: weighs the views that share intrinsics."""
    anchor_start: Tensor  # (V + 1,) int
    """Anchors of view v are anchor_start[v] to anchor_start[v + 1], row-major."""
    anchor_depth: Tensor  # (A,), finite
    anchor_valid: Tensor  # (A,) bool
    """False where the anchor's block holds nothing of the object: its depth means nothing and nothing hangs
    on it."""
    point_start: Tensor  # (V + 1,) int
    point_xy: Tensor  # (N, 2), pixels
    point_anchor: Tensor  # (N,) int, into the A anchors
    point_ratio: Tensor  # (N,)
    """Depth of the point over the depth of its anchor, seen with the base focal."""
    pair: Tensor  # (P, 2) int, views (a, b)
    pair_count: Tensor  # (P,)
    pair_best_conf: Tensor  # (P,)
    """Confidence of the best match; minus infinity without matches."""
    match_start: Tensor  # (P + 1,) int
    match_points: Tensor  # (M, 2) int, into the N points: ends in a and in b
    match_conf: Tensor  # (M,)
    cross: Tensor  # (R, 2) int, (target: whose frame, source: whose pixels)
    cross_pair: Tensor  # (R,) int, into the P pairs
    cross_start: Tensor  # (R + 1,) int
    """Samples of cross pointmap r, one an anchor block of its source, are cross_start[r]
    to cross_start[r + 1]."""
    cross_points: Tensor  # (Q, 3), in the camera frame of its target
    cross_conf: Tensor  # (Q,)

    def __post_init__(self) -> None:
        lengths = {
            "a view": (
                self.size,
                self.principal_point,
                self.base_focal,
                self.mean_conf,
                self.anchor_start[1:],
                self.point_start[1:],
            ),
            "an anchor": (self.anchor_depth, self.anchor_valid),
            "a point": (self.point_xy, self.point_anchor, self.point_ratio),
            "a pair": (self.pair, self.pair_count, self.pair_best_conf, self.match_start[1:]),
            "a match": (self.match_points, self.match_conf),
            "a cross pointmap": (self.cross, self.cross_pair, self.cross_start[1:]),
            "a sample": (self.cross_points, self.cross_conf),
        }
        for thing, arrays in lengths.items():
            if len({len(array) for array in arrays}) != 1:
                raise ValueError(
                    f"arrays with one entry {thing} differ in length: {[len(array) for array in arrays]}"
                )

    @property
    def num_views(self) -> int:
        """Number of views."""
        return len(self.size)

    @property
    def anchor_view(self) -> Tensor:
        """(A,) view of every anchor."""
        return owner(self.anchor_start)

    @property
    def point_view(self) -> Tensor:
        """(N,) view of every point."""
        return owner(self.point_start)

    @property
    def match_pair(self) -> Tensor:
        """(M,) pair of every match."""
        return owner(self.match_start)

    @property
    def pair_scores(self) -> Tensor:
        """(V, V) number of matches of every pair, symmetric, 0 without a pair."""
        scores = self.match_conf.new_zeros(self.num_views, self.num_views)
        a, b = self.pair.unbind(1)
        scores[a, b] = scores[b, a] = self.match_start.diff().to(scores)
        return scores


def owner(start: Tensor) -> Tensor:
    """Return for every element of consecutive ranges the number of its range, from the ranges' bounds (K +
    1,).
    """
    return torch.repeat_interleave(torch.arange(len(start) - 1, device=start.device), start.diff())


def bounds(lengths: list[int] | Tensor) -> Tensor:
    """Return the bounds (K + 1,) of consecutive ranges of the given lengths."""
    counts = torch.as_tensor(lengths, dtype=torch.int64)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def cast(
    problem: Problem, dtype: torch.dtype | None = None, device: torch.device | str | None = None
) -> Problem:
    """Return the problem with its real numbers in another dtype, on another device."""
    changes = {}
    for field in fields(problem):
        value: Tensor = getattr(problem, field.name)
        changes[field.name] = value.to(device=device, dtype=dtype if value.is_floating_point() else None)
    return replace(problem, **changes)
