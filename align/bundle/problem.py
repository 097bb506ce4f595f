"""The bundle aligner's problem: measured pairs, a start, intrinsics, and the observations that are
believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from align.bundle.consistency import Consistency, check_consistency
from align.bundle.intrinsics import SharedIntrinsics, shared_intrinsics
from align.bundle.observations import Observations, observe
from align.bundle.options import BundleOptions
from align.bundle.refinement import Refined
from align.initial.from_known_poses import start_from_known_poses
from align.initial.loop_consistency import Triplets, triplets_of
from align.initial.motion_averaging import averaged_start
from align.initial.relative_poses import RelativePoses, measure_relative_poses
from align.initial.start import Start
from align.measurements.gathered import Measurements
from align.measurements.known_cameras import Known, principal_point_of
from masks.notice import Notice


@dataclass(frozen=True, slots=True)
class BundleProblem:
    """What the refinement starts from and is checked against."""

    pairs: RelativePoses
    triplets: Triplets
    start: Start
    intrinsics: SharedIntrinsics
    obs: Observations
    """Without the matches of rejected pairs."""

    def check(self, refined: Refined) -> Consistency:
        """Return how far a result agrees with it."""
        return check_consistency(
            self.obs, self.intrinsics, refined.state, self.pairs, self.start, self.triplets
        )


def bundle_problem(
    measurements: Measurements,
    median: np.ndarray,
    known: Known,
    options: BundleOptions,
    log_distance: Mapping[int, float],
) -> tuple[BundleProblem, float, tuple[Notice, ...]]:
    """Return the problem, the unit of its start in the world, and notices about intrinsics.

    `median` (V,) are the views' median depths as predicted, `log_distance` logs of the known ones.
    """
    views = measurements.predictions.views
    principal_points = torch.stack(
        [principal_point_of(view, measurements.predictions, k) for k, view in enumerate(views)]
    )
    pairs = measure_relative_poses(measurements, median, principal_points)
    triplets = triplets_of(pairs, len(views))
    start, unit = _start(pairs, triplets, len(views), known, log_distance)
    intrinsics, notices = shared_intrinsics(measurements.views, views, principal_points, known)
    intrinsics = replace(intrinsics, free_principal_point=options.principal_point_sigma is not None)
    rejected = {(int(a), int(b)) for a, b in pairs.pair[start.rejected]}
    kept = [record for record in measurements.records if (record.a, record.b) not in rejected]
    return (
        BundleProblem(
            pairs, triplets, start, intrinsics, observe(measurements.views, median, kept, intrinsics)
        ),
        unit,
        notices,
    )


def _start(
    pairs: RelativePoses,
    triplets: Triplets,
    num_views: int,
    known: Known,
    log_distance: Mapping[int, float],
) -> tuple[Start, float]:
    """Return the start, known depths in it, and its unit in the world: 1 without known poses."""
    if not known.cam_from_world:
        return averaged_start(pairs, triplets, num_views), 1.0
    poses = {view: pose.double().numpy() for view, pose in known.cam_from_world.items()}
    start, unit = start_from_known_poses(pairs, triplets, poses, num_views, log_distance)
    log_scale = start.log_scale.copy()
    for view, log in log_distance.items():
        log_scale[view] = log - np.log(unit)
    return replace(start, log_scale=log_scale), unit
