"""What is kept of the pair predictions: canonical views, pair records, samples of directed predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from torch import Tensor

from align.measurements.canonical import AverageMode, CanonicalView
from masks.notice import Notice
from pairs.prediction.predictions import GroupPrediction, Predictions
from pairs.views.cameras import Cameras


@dataclass(frozen=True, slots=True)
class CrossPointmap:
    """What one directed prediction says about the source's pixels in the target's frame, sampled once a
    block.
    """

    points: Tensor  # (K, 3), row-major over the blocks
    conf: Tensor  # (K,)


@dataclass(frozen=True, slots=True)
class PairRecord:
    """What is known of an unordered pair of views."""

    a: int
    b: int
    xy_a: Tensor  # (M, 2), pixels
    xy_b: Tensor  # (M, 2)
    conf: Tensor  # (M,)
    b_in_a: CrossPointmap | None
    """Prediction of b's pixels in a's frame."""
    a_in_b: CrossPointmap | None
    count: int = 1
    """How many entries of a directed list of pairs this record stands for."""


Ties = Literal["matches", "pointmaps"]

POSE_STRIDE = 8
"""Every so many pixels, both ways, give a point to a pair's similarity. Strides of 4, 8 and 16 give starts
0.72, 0.69 and 0.83 degrees off, in 0.44, 0.15 (8 rounds each) and 0.04 seconds (5 rounds) of 32 views."""


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How predictions are read."""

    average: AverageMode | Literal["object"] = "object"
    """How a view's own maps are averaged: over the object's pixels alone, or as the reference does."""
    subsample: int = 8
    """Pixels from anchor to anchor."""
    whole_pixels: bool = False
    """Round matches to pixels and drop doubles."""
    ties: Ties = "matches"
    """What of a pair ties its views together."""
    cut_out_motion: bool = True
    """Where no view has a mask, and an object turns before a still backdrop, read the object alone."""


@dataclass(frozen=True, slots=True)
class DirectedSample:
    """Points of the source view on a coarse grid, in its own frame and in the target's."""

    target: int
    source: int
    in_source: np.ndarray  # (S, 3)
    in_target: np.ndarray  # (S, 3)
    weight: np.ndarray  # (S,), 0 outside the mask or where a point is not finite


@dataclass(frozen=True, slots=True)
class Measurements:
    """All that the aligner keeps of a set of predictions."""

    predictions: Predictions
    """Of the views that can be used; all indices below refer to them."""
    views: tuple[CanonicalView, ...]
    records: tuple[PairRecord, ...]
    samples: tuple[DirectedSample, ...]
    notices: tuple[Notice, ...] = ()
    """Which views cannot be used, and why."""


def keep_views(measurements: Measurements, part: Sequence[int]) -> Measurements:
    """Return what was gathered for a part of the views, ascending."""
    predictions, records, samples = _kept_pairs(
        measurements.predictions, measurements.records, measurements.samples, part
    )
    return Measurements(
        predictions, tuple(measurements.views[k] for k in part), records, samples, measurements.notices
    )


def _kept_pairs(
    predictions: Predictions,
    records: Sequence[PairRecord],
    samples: Sequence[DirectedSample],
    part: Sequence[int],
) -> tuple[Predictions, tuple[PairRecord, ...], tuple[DirectedSample, ...]]:
    """Return predictions, records and samples of the pairs within a part of the views, which is numbered
    anew.
    """
    position = {view: k for k, view in enumerate(part)}
    kept = [k for k, (a, b) in enumerate(predictions.edges) if a in position and b in position]
    cameras, group = predictions.cameras, predictions.group
    smaller = replace(
        predictions,
        views=tuple(predictions.views[k] for k in part),
        edges=tuple((position[a], position[b]) for a, b in (predictions.edges[k] for k in kept)),
        load=lambda k: predictions.load(kept[k]),
        cameras=None if cameras is None else _of_views(cameras, part),
        group=None
        if group is None
        else GroupPrediction(
            _of_views(group.cameras, part),
            tuple(group.depth[view] for view in part),
            tuple(group.conf[view] for view in part),
        ),
    )
    return (
        smaller,
        tuple(
            replace(r, a=position[r.a], b=position[r.b])
            for r in records
            if r.a in position and r.b in position
        ),
        tuple(
            replace(s, target=position[s.target], source=position[s.source])
            for s in samples
            if s.target in position and s.source in position
        ),
    )


def _of_views(cameras: Cameras, part: Sequence[int]) -> Cameras:
    return Cameras(cameras.K[list(part)], cameras.cam_from_world[list(part)])


def coarse_grid(array: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """Return the pixels (S, ...) of a map (H, W, ...) that stand for the whole in a pair's similarity."""
    return array[POSE_STRIDE // 2 :: POSE_STRIDE, POSE_STRIDE // 2 :: POSE_STRIDE].reshape(
        -1, *array.shape[2:]
    )
