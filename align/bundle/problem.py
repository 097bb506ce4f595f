"""The bundle aligner's problem: measured pairs, a start, intrinsics, and the observations that are
believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from align.bundle.consistency import Consistency, check_consistency
from align.bundle.intrinsics import Lenses, lenses_of
from align.bundle.observations import Observations, observe
from align.bundle.options import GaussNewton
from align.bundle.refinement import Refined
from align.initial.from_known_poses import given_start
from align.initial.loop_consistency import Triangles, triangles_of
from align.initial.motion_averaging import averaged_start
from align.initial.relative_poses import MeasuredPairs, measure_pairs
from align.initial.start import Start
from align.measurements.gathered import Gathered
from align.measurements.known_cameras import Known, principal_point
from masks.notice import Notice


@dataclass(frozen=True, slots=True)
class BundleProblem:
    """What the refinement starts from and is checked against."""

    pairs: MeasuredPairs
    triangles: Triangles
    start: Start
    lenses: Lenses
    obs: Observations
    """Without the matches of rejected pairs."""

    def check(self, refined: Refined) -> Consistency:
        """Return how far a result agrees with it."""
        return check_consistency(self.obs, self.lenses, refined.state, self.pairs, self.start, self.triangles)


def bundle_problem(
    gathered: Gathered,
    middle: np.ndarray,
    known: Known,
    options: GaussNewton,
    log_distance: Mapping[int, float],
) -> tuple[BundleProblem, float, tuple[Notice, ...]]:
    """Return the evidence, the unit of its start in the world, and notices about lenses.

    `middle` (V,) are the views' median depths as predicted, `log_distance` logs of the known ones.
    """
    views = gathered.predictions.views
    principal_points = torch.stack(
        [principal_point(view, gathered.predictions, k) for k, view in enumerate(views)]
    )
    pairs = measure_pairs(gathered, middle, principal_points)
    triangles = triangles_of(pairs, len(views))
    start, unit = _start(pairs, triangles, len(views), known, log_distance)
    lenses, notices = lenses_of(gathered.views, views, principal_points, known)
    lenses = replace(lenses, free_centre=options.principal_point_sigma is not None)
    rejected = {(int(a), int(b)) for a, b in pairs.pair[start.rejected]}
    kept = [record for record in gathered.records if (record.a, record.b) not in rejected]
    return (
        BundleProblem(pairs, triangles, start, lenses, observe(gathered.views, middle, kept, lenses)),
        unit,
        notices,
    )


def _start(
    pairs: MeasuredPairs,
    triangles: Triangles,
    num_views: int,
    known: Known,
    log_distance: Mapping[int, float],
) -> tuple[Start, float]:
    """Return the start, known depths in it, and its unit in the world: 1 without given poses."""
    if not known.cam_from_world:
        return averaged_start(pairs, triangles, num_views), 1.0
    given = {view: pose.double().numpy() for view, pose in known.cam_from_world.items()}
    start, unit = given_start(pairs, triangles, given, num_views, log_distance)
    log_size = start.log_size.copy()
    for view, log in log_distance.items():
        log_size[view] = log - np.log(unit)
    return replace(start, log_size=log_size), unit
