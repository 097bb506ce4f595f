"""What the pointmaps of all pairs say of relative poses and scales
(docs/bundle_alignment.md, "Relative poses"), as flat arrays over the pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from align.measurements.canonical import CanonicalView
from align.measurements.gathered import DirectedSample, Measurements, PairRecord, coarse_grid
from align.measurements.similarity import (
    Correspondences,
    Similarities,
    register_similarities,
    weighted_median,
)
from align.pinhole import rays

_LEAST_RESIDUAL = 1e-3
"""A directed prediction is never trusted to better than a thousandth of the object's extent."""
_LEAST_CONF = 0.01
"""Above 1: a pair that the network is not sure of at all still ties a view that has no other."""


@dataclass(frozen=True, slots=True)
class RelativePoses:
    """E pairs (i, j), each measured in up to two directions: 0 in the frame of i, 1 in that of j.

    A view's unit is its canonical depth over its median on the object.
    """

    pair: np.ndarray  # (E, 2) int, views (i, j)
    R_i_from_j: np.ndarray  # (E, 3, 3), both directions together
    disagreement_rad: np.ndarray  # (E,)
    """Angle between both directions; 0 where there is one."""
    usable: np.ndarray  # (E, 2) bool, by direction
    log_ratio: np.ndarray  # (E, 2)
    """Log of the scale of i over that of j, by direction."""
    point_i: np.ndarray  # (E, 2, 3)
    """Middle of the object in the frame and unit of i, by direction."""
    point_j: np.ndarray  # (E, 2, 3), the same physical point
    num_matches: np.ndarray  # (E,)
    conf: np.ndarray  # (E,)
    """Mean confidence above 1 of what the less sure view says in the other's frame, over its mask."""
    without_pose: np.ndarray  # (U, 2) int
    """Further pairs, of which nothing is known but that they have matches."""


def measure_relative_poses(
    measurements: Measurements, median: np.ndarray, principal_points: Tensor
) -> RelativePoses:
    """Return the poses of all pairs with a usable directed prediction, in the order of the records; of others
    only whether they have matches.

    A pair that lacks a directed prediction is measured by its matches, at their canonical depths. `median`
    (V,) are the views' median depths.
    """
    samples = _samples(measurements, principal_points)
    return _relative_poses(measurements.records, samples, _fit(samples, median))


@dataclass(frozen=True, slots=True)
class _Sample:
    """A directed sample and the canonical depth (S,) of the same pixels."""

    points: DirectedSample
    canonical: np.ndarray

    @property
    def direction(self) -> tuple[int, int]:
        """(target, source)."""
        return self.points.target, self.points.source


@dataclass(frozen=True, slots=True)
class _Fits:
    """What a rigid body says of each of R samples."""

    similarities: Similarities
    residual: np.ndarray  # (R,), over the object's extent; infinite where nothing follows
    unit: np.ndarray  # (R,)
    """Of the sample's own points: in it their canonical median is 1. NaN where unknown."""


def _samples(measurements: Measurements, principal_points: Tensor) -> list[_Sample]:
    """Return the samples of both directions of every pair that can be measured: by its pointmaps, else by its
    matches.
    """
    # A canonical view may have a margin beyond the predictions' grid.
    sizes = [view.pixel_map.target_size for view in measurements.predictions.views]
    canonical = [
        coarse_grid(view.depth[:height, :width].numpy())
        for view, (width, height) in zip(measurements.views, sizes)
    ]
    samples = [_present(_Sample(s, canonical[s.source])) for s in measurements.samples]
    behind = {frozenset(s.direction) for s in samples if not _in_front(s)}
    samples = [s for s in samples if frozenset(s.direction) not in behind]
    sampled = {s.direction for s in samples}
    for record in measurements.records:
        if (record.a, record.b) not in sampled and len(record.conf):
            samples += _matched_samples(record, measurements.views, principal_points)
    return samples


def _present(sample: _Sample) -> _Sample:
    """Return the sample without its absent points: most of the grid may lie off the object. One stays where
    all are absent.
    """
    points = sample.points
    kept = points.weight > 0
    kept[:1] |= not kept.any()
    present = replace(
        points,
        in_source=points.in_source[kept],
        in_target=points.in_target[kept],
        weight=points.weight[kept],
    )
    return _Sample(present, sample.canonical[kept])


def _in_front(sample: _Sample) -> bool:
    """Tell whether most of the points that count lie before their own camera; else their pair says
    nothing.
    """
    points = sample.points
    return float(np.median(np.where(points.weight > 0, points.in_source[:, 2], 0))) > 0


def _matched_samples(
    record: PairRecord, views: Sequence[CanonicalView], principal_points: Tensor
) -> list[_Sample]:
    """Return the canonical points at both ends of a pair's matches as samples of both directions."""
    points, present = [], torch.ones(len(record.conf), dtype=torch.bool)
    for number, xy in ((record.a, record.xy_a), (record.b, record.xy_b)):
        view = views[number]
        x, y = xy.round().long().T
        depth = view.depth[y.clamp(0, view.size[1] - 1), x.clamp(0, view.size[0] - 1)]
        present &= torch.isfinite(depth)
        points.append((rays(xy, view.focal, principal_points[number]) * depth[:, None]).numpy())
    weight, (in_a, in_b) = torch.where(present, record.conf, 0).numpy(), points
    return [
        _Sample(DirectedSample(record.a, record.b, in_b, in_a, weight), in_b[:, 2]),
        _Sample(DirectedSample(record.b, record.a, in_a, in_b, weight), in_a[:, 2]),
    ]


def _fit(samples: Sequence[_Sample], median: np.ndarray) -> _Fits:
    """Return the similarities of all samples at once."""
    if not samples:
        empty = torch.zeros(0, 1, 3, dtype=torch.float64)
        nothing, _ = register_similarities(Correspondences(empty, empty, empty[..., 0]))
        return _Fits(nothing, np.zeros(0), np.zeros(0))
    in_source, in_target, weight = (
        pad_sequence([torch.from_numpy(getattr(s.points, name)) for s in samples], batch_first=True)
        for name in ("in_source", "in_target", "weight")
    )
    canonical = pad_sequence(
        [torch.from_numpy(s.canonical) / median[s.points.source] for s in samples], batch_first=True
    )
    ratio = in_source[..., 2] / canonical
    counted = (weight > 0) & torch.isfinite(ratio)
    unit = weighted_median(torch.where(counted, ratio, 0), counted.to(ratio)).numpy()
    similarities, residual = register_similarities(Correspondences(in_source, in_target, weight))
    return _Fits(similarities, residual.numpy(), np.where(unit > 0, unit, np.nan))


def _relative_poses(records: Sequence[PairRecord], samples: Sequence[_Sample], fits: _Fits) -> RelativePoses:
    """Return what the fits say of the pairs, both directions of each together."""
    number = {s.direction: k for k, s in enumerate(samples)}
    sampled = [r for r in records if (r.a, r.b) in number]
    both = np.array([(number[r.a, r.b], number[r.b, r.a]) for r in sampled], int).reshape(-1, 2)
    # A direction also needs the unit of its target, which the other direction's own points tell.
    has_unit = np.isfinite(fits.unit)
    usable = (np.isfinite(fits.residual) & has_unit)[both] & has_unit[both[:, ::-1]]
    kept = np.asarray(usable.any(1))
    posed, both, usable = [r for r, keep in zip(sampled, kept) if keep], both[kept], usable[kept]
    # Of the pair (i, j): j's points in i's frame, and i's in j's.
    in_i, in_j = both.T
    unit_i, unit_j = fits.unit[in_j], fits.unit[in_i]
    source, target = fits.similarities.source_mean.numpy(), fits.similarities.target_mean.numpy()
    log_scale = np.log(fits.similarities.scale.numpy())
    R, disagreement = _rotations(fits, both, usable)
    found = {(r.a, r.b) for r in posed}
    without_pose = [(r.a, r.b) for r in records if len(r.conf) and (r.a, r.b) not in found]
    return RelativePoses(
        pair=np.array([(r.a, r.b) for r in posed], int).reshape(-1, 2),
        R_i_from_j=R,
        disagreement_rad=disagreement,
        usable=usable,
        log_ratio=np.log(unit_i / unit_j)[:, None] + np.stack([-log_scale[in_i], log_scale[in_j]], 1),
        point_i=np.stack([target[in_i], source[in_j]], 1) / unit_i[:, None, None],
        point_j=np.stack([source[in_i], target[in_j]], 1) / unit_j[:, None, None],
        num_matches=np.array([len(r.conf) for r in posed], float),
        conf=np.array([_conf(r) for r in posed]),
        without_pose=np.array(without_pose, int).reshape(-1, 2),
    )


def _rotations(fits: _Fits, both: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return i_from_j (E, 3, 3), each direction weighted by how well a rigid body explains it, and the angle
    (E,) between both.
    """
    residual = torch.from_numpy(np.maximum(fits.residual, _LEAST_RESIDUAL)[both])
    trust = torch.where(torch.from_numpy(usable), residual**-2, 0)
    R_0, R_1 = fits.similarities.R[both[:, 0]], fits.similarities.R[both[:, 1]].mT
    if len(both) == 0:
        return R_0.numpy(), np.zeros(0)
    R = roma.special_procrustes(trust[:, 0, None, None] * R_0 + trust[:, 1, None, None] * R_1)
    angle = torch.where(torch.from_numpy(usable.all(1)), roma.rotmat_geodesic_distance(R_0, R_1), 0)
    return R.numpy(), angle.numpy()


def _conf(record: PairRecord) -> float:
    """Return the smaller of both directions' mean confidence above 1, over the mask of the view that is seen
    from the other.
    """
    cross = [
        pointmap.conf[torch.isfinite(pointmap.conf)]
        for pointmap in (record.b_in_a, record.a_in_b)
        if pointmap is not None
    ]
    return max(min((float((conf - 1).mean()) for conf in cross if len(conf)), default=0.0), _LEAST_CONF)
