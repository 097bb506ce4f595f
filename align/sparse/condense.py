"""From canonical views and pair records to the flat problem
(docs/sparse_alignment.md, "Condensing matches").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from align.measurements.canonical import CanonicalView, anchor_at
from align.measurements.gathered import PairRecord
from align.sparse.problem import Problem, bounds


def condense(
    views: Sequence[CanonicalView], records: Sequence[PairRecord], principal_points: Tensor | None = None
) -> Problem:
    """Return the flat problem in the dtype of the canonical views.

    A view's anchored points are ordered by record, which is the reference's order when the records are in the
    order of its list of pairs. Matches that start or end where a view has no usable depth are left out.
    `principal_points` are (V, 2); the image centre by default.
    """
    like = views[0].anchor_depth
    anchor_start = bounds([view.anchor_depth.numel() for view in views])
    records = [_usable(views, record) for record in records]
    ranges = _point_ranges(len(views), records)
    point_start = bounds([sum(stop - start for start, stop in ranges[v].values()) for v in range(len(views))])
    points = [_points_of(v, views[v], records) for v in range(len(views))]
    matches = [
        torch.stack(
            [
                torch.arange(*ranges[r.a][k]) + point_start[r.a],
                torch.arange(*ranges[r.b][k]) + point_start[r.b],
            ],
            1,
        )
        for k, r in enumerate(records)
    ]
    size = torch.tensor([view.size for view in views])
    depth = torch.cat([view.anchor_depth.flatten() for view in views])
    valid = torch.isfinite(depth)
    directed = [
        (target, source, k, sample)
        for k, r in enumerate(records)
        for target, source, sample in ((r.a, r.b, r.b_in_a), (r.b, r.a, r.a_in_b))
        if sample is not None
    ]
    return Problem(
        size=size,
        principal_point=(size / 2 if principal_points is None else principal_points).to(like.dtype),
        base_focal=torch.stack([view.focal for view in views]),
        mean_conf=torch.stack([view.conf[view.valid].mean() for view in views]),
        anchor_start=anchor_start,
        # An anchor without object takes no part; a finite stand-in keeps the array free of NaN.
        anchor_depth=torch.where(valid, depth, 1),
        anchor_valid=valid,
        point_start=point_start,
        point_xy=_cat([xy for xy, _, _ in points], like, (2,)),
        point_anchor=torch.cat([index + anchor_start[v] for v, (_, index, _) in enumerate(points)]),
        point_ratio=_cat([ratio for _, _, ratio in points], like),
        pair=torch.tensor([(r.a, r.b) for r in records]).reshape(-1, 2),
        pair_count=torch.tensor([r.count for r in records], dtype=like.dtype),
        pair_best_conf=torch.tensor(
            [float(r.conf.max()) if len(r.conf) else -torch.inf for r in records], dtype=like.dtype
        ),
        match_start=bounds([len(r.conf) for r in records]),
        match_points=torch.cat(matches) if matches else torch.zeros(0, 2, dtype=torch.int64),
        match_conf=_cat([r.conf for r in records], like),
        cross=torch.tensor(
            [(target, source) for target, source, _, _ in directed], dtype=torch.int64
        ).reshape(-1, 2),
        cross_pair=torch.tensor([k for _, _, k, _ in directed], dtype=torch.int64),
        cross_start=bounds([len(sample.conf) for *_, sample in directed]),
        cross_points=_cat([sample.points for *_, sample in directed], like, (3,)),
        cross_conf=_cat([sample.conf for *_, sample in directed], like),
    )


def _usable(views: Sequence[CanonicalView], record: PairRecord) -> PairRecord:
    """Return the record without the matches that have no depth on one side."""
    keep = anchor_at(views[record.a], record.xy_a)[2] & anchor_at(views[record.b], record.xy_b)[2]
    if bool(keep.all()):
        return record
    return PairRecord(
        record.a,
        record.b,
        record.xy_a[keep],
        record.xy_b[keep],
        record.conf[keep],
        record.b_in_a,
        record.a_in_b,
        record.count,
    )


def _point_ranges(num_views: int, records: Sequence[PairRecord]) -> list[dict[int, tuple[int, int]]]:
    """Return for every view the range of its points that belongs to each record, by the record's number."""
    ranges: list[dict[int, tuple[int, int]]] = [{} for _ in range(num_views)]
    for k, record in enumerate(records):
        for view in (record.a, record.b):
            start = max((stop for _, stop in ranges[view].values()), default=0)
            ranges[view][k] = (start, start + len(record.conf))
    return ranges


def _points_of(
    number: int, view: CanonicalView, records: Sequence[PairRecord]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return positions (N, 2), anchors of the view (N,) and depth ratios (N,) of one view's points, record by
    record.
    """
    ends = [
        record.xy_a if record.a == number else record.xy_b
        for record in records
        if number in (record.a, record.b)
    ]
    xy = _cat(ends, view.depth, (2,))
    index, ratio, _ = anchor_at(view, xy)
    return xy, index, ratio


def _cat(parts: Sequence[Tensor], like: Tensor, tail: tuple[int, ...] = ()) -> Tensor:
    """Return the concatenation in the dtype and on the device of `like`, also of nothing."""
    return torch.cat([part.to(like) for part in parts]) if parts else like.new_zeros(0, *tail)
