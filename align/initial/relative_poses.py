"""What the pointmaps of all pairs say of relative poses and sizes
(docs/bundle_alignment.md, "Relative poses"), as flat arrays over the pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import roma
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from align.measurements.canonical import CanonicalView
from align.measurements.gathered import Measurements, PairRecord, coarse_grid
from align.measurements.similarity import (
    Correspondences,
    Similarities,
    register_similarities,
    weighted_median,
)
from align.pinhole import rays

_LEAST_SPREAD = 1e-3
"""A run is never trusted to better than a thousandth of the object's extent."""
_LEAST_CONF = 0.01
"""Above 1: a pair that the network is not sure of at all still ties a view that has no other."""


@dataclass(frozen=True, slots=True)
class RelativePoses:
    """E pairs (i, j) with up to two runs each: run 0 in the frame of i, run 1 in that of j.

    A view's unit is its canonical depth over its median on the object.
    """

    pair: np.ndarray  # (E, 2) int, views (i, j)
    R_i_from_j: np.ndarray  # (E, 3, 3), both runs together
    disagreement_rad: np.ndarray  # (E,)
    """Angle between both runs; 0 where there is one."""
    usable: np.ndarray  # (E, 2) bool, by run
    log_ratio: np.ndarray  # (E, 2)
    """Log of the size of i over that of j, by run."""
    point_i: np.ndarray  # (E, 2, 3)
    """Middle of the object in the frame and unit of i, by run."""
    point_j: np.ndarray  # (E, 2, 3), the same physical point
    num_matches: np.ndarray  # (E,)
    conf: np.ndarray  # (E,)
    """Mean confidence above 1 of what the less sure view says in the other's frame, over its mask."""
    without_pose: np.ndarray  # (U, 2) int
    """Further pairs, of which nothing is known but that they have matches."""


def measure_relative_poses(
    measurements: Measurements, median: np.ndarray, principal_points: Tensor
) -> RelativePoses:
    """Return the poses of all pairs with a usable run, in the order of the records; of others only whether
    they have matches.

    A pair that lacks a run is measured by its matches, at their canonical depths. `median` (V,) are the
    views' median depths.
    """
    # A canonical view may have a margin beyond the predictions' grid.
    sizes = [view.pixel_map.target_size for view in measurements.predictions.views]
    canonical = [
        coarse_grid(view.depth[:height, :width]) for view, (width, height) in zip(measurements.views, sizes)
    ]
    samples = [
        _present(_Sample(s.target, s.source, s.in_source, s.in_target, s.weight, canonical[s.source].numpy()))
        for s in measurements.samples
    ]
    behind = {frozenset((s.target, s.source)) for s in samples if not _in_front(s)}
    samples = [s for s in samples if frozenset((s.target, s.source)) not in behind]
    sampled = {(s.target, s.source) for s in samples}
    for record in measurements.records:
        if (record.a, record.b) not in sampled and len(record.conf):
            samples += _matched_samples(record, measurements.views, principal_points)
    fits, unit = _fit(samples, median)
    sample_of = {(s.target, s.source): k for k, s in enumerate(samples)}
    records = [r for r in measurements.records if (r.a, r.b) in sample_of]
    runs = np.array([(sample_of[r.a, r.b], sample_of[r.b, r.a]) for r in records], int).reshape(-1, 2)
    usable = (np.isfinite(fits.spread.numpy()) & np.isfinite(unit))[runs] & np.isfinite(unit)[runs[:, ::-1]]
    kept = usable.any(1)
    records, runs, usable = [r for r, keep in zip(records, kept) if keep], runs[kept], usable[kept]
    measured = {(r.a, r.b) for r in records}
    # The sample in whose frame a view stands does not hold that view's own points: its unit is that of the
    # reverse sample.
    unit_i, unit_j = unit[runs[:, 1], None], unit[runs[:, 0], None]
    scale, source, target = (
        fits.scale.numpy()[runs],
        fits.source_mean.numpy()[runs],
        fits.target_mean.numpy()[runs],
    )
    R, disagreement = _together(fits, runs, usable)
    return RelativePoses(
        pair=np.array([(r.a, r.b) for r in records], int).reshape(-1, 2),
        R_i_from_j=R,
        disagreement_rad=disagreement,
        usable=usable,
        log_ratio=np.log(unit_i / unit_j) + np.log(scale) * [-1, 1],
        point_i=np.stack([target[:, 0], source[:, 1]], 1) / unit_i[..., None],
        point_j=np.stack([source[:, 0], target[:, 1]], 1) / unit_j[..., None],
        num_matches=np.array([len(r.conf) for r in records], float),
        conf=np.array([_conf(r) for r in records]),
        without_pose=np.array(
            [(r.a, r.b) for r in measurements.records if len(r.conf) and (r.a, r.b) not in measured], int
        ).reshape(-1, 2),
    )


@dataclass(frozen=True, slots=True)
class _Sample:
    """As `DirectedSample`, with the canonical depth (S,) of the same pixels."""

    target: int
    source: int
    in_source: np.ndarray
    in_target: np.ndarray
    weight: np.ndarray
    canonical: np.ndarray


def _present(sample: _Sample) -> _Sample:
    """Return the sample without its absent points: most of the grid may lie off the object. One stays where
    all are absent.
    """
    kept = sample.weight > 0
    kept[:1] |= not kept.any()
    return _Sample(
        sample.target,
        sample.source,
        sample.in_source[kept],
        sample.in_target[kept],
        sample.weight[kept],
        sample.canonical[kept],
    )


def _in_front(sample: _Sample) -> bool:
    """Tell whether most of the points that count lie before their own camera: else their run says nothing."""
    return float(np.median(np.where(sample.weight > 0, sample.in_source[:, 2], 0))) > 0


def _matched_samples(
    record: PairRecord, views: Sequence[CanonicalView], principal_points: Tensor
) -> list[_Sample]:
    """Return the canonical points at both ends of a pair's matches as samples of two runs."""
    points, present = [], torch.ones(len(record.conf), dtype=torch.bool)
    for number, xy in ((record.a, record.xy_a), (record.b, record.xy_b)):
        view = views[number]
        x, y = xy.round().long().T
        depth = view.depth[y.clamp(0, view.size[1] - 1), x.clamp(0, view.size[0] - 1)]
        present &= torch.isfinite(depth)
        points.append((rays(xy, view.focal, principal_points[number]) * depth[:, None]).numpy())
    weight, (in_a, in_b) = torch.where(present, record.conf, 0).numpy(), points
    return [
        _Sample(record.a, record.b, in_b, in_a, weight, in_b[:, 2]),
        _Sample(record.b, record.a, in_a, in_b, weight, in_a[:, 2]),
    ]


def _fit(samples: Sequence[_Sample], median: np.ndarray) -> tuple[Similarities, np.ndarray]:
    """Return the similarities of all samples and the unit (R,) of each sample's own points, in which the
    canonical median is 1.
    """
    if not samples:
        empty = torch.zeros(0, 1, 3, dtype=torch.float64)
        return register_similarities(Correspondences(empty, empty, empty[..., 0])), np.zeros(0)
    in_source, in_target, weight = (
        pad_sequence([torch.from_numpy(getattr(s, name)) for s in samples], batch_first=True)
        for name in ("in_source", "in_target", "weight")
    )
    canonical = pad_sequence(
        [torch.from_numpy(s.canonical) / median[s.source] for s in samples], batch_first=True
    )
    ratio = in_source[..., 2] / canonical
    counted = (weight > 0) & torch.isfinite(ratio)
    unit = weighted_median(torch.where(counted, ratio, 0), counted.to(ratio)).numpy()
    return register_similarities(Correspondences(in_source, in_target, weight)), np.where(
        unit > 0, unit, np.nan
    )


def _together(fits: Similarities, runs: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return i_from_j (E, 3, 3), each run weighted by how well a rigid body explains it, and the angle (E,)
    between both runs.
    """
    trust = torch.where(torch.from_numpy(usable), fits.spread.clamp(min=_LEAST_SPREAD)[runs] ** -2, 0)
    R_0, R_1 = fits.R[runs[:, 0]], fits.R[runs[:, 1]].mT
    R = (
        roma.special_procrustes(trust[:, 0, None, None] * R_0 + trust[:, 1, None, None] * R_1)
        if len(runs)
        else R_0
    )
    angle = torch.where(torch.from_numpy(usable.all(1)), roma.rotmat_geodesic_distance(R_0, R_1), 0)
    return R.numpy(), angle.numpy()


def _conf(record: PairRecord) -> float:
    """Return the smaller of both runs' mean confidence above 1 over the mask of the view that is seen from
    the other.
    """
    in_target: list[Tensor] = [
        run.conf[torch.isfinite(run.conf)] for run in (record.b_in_a, record.a_in_b) if run is not None
    ]
    return max(min((float((conf - 1).mean()) for conf in in_target if len(conf)), default=0.0), _LEAST_CONF)
