"""What a solution says against itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from small_measurements import small_measurements

from align.bundle.bundle_alignment import bundle_adjust
from align.bundle.options import BundleOptions
from align.measurements.gathered import Measurements
from masks.notice import Level


def turned_pairs(measurements: Measurements, wrong: set[tuple[int, int]], degrees: float) -> Measurements:
    """Return the same with both runs of some pairs turned about the vertical through the object."""
    R = Rotation.from_euler("y", degrees, degrees=True).as_matrix()
    samples = []
    for s in measurements.samples:
        pair = (min(s.target, s.source), max(s.target, s.source))
        turn = R if s.target < s.source else R.T
        samples.append(
            replace(s, in_target=(s.in_target - [0, 0, 4]) @ turn.T + [0, 0, 4]) if pair in wrong else s
        )
    return replace(measurements, samples=tuple(samples))


def test_an_honest_scene_is_not_suspected() -> None:
    solution = bundle_adjust(small_measurements(5), BundleOptions())
    assert solution.notices == ()
    assert solution.figures["share of matches in rejected pairs"] == 0
    assert solution.figures["share of open triangles"] == 0


def test_pairs_that_disagree_make_a_scene_contradictory_and_are_named() -> None:
    solution = bundle_adjust(turned_pairs(small_measurements(5), {(0, 3), (1, 4)}, 90), BundleOptions())
    warnings = [n for n in solution.notices if n.level == Level.WARNING and "disagree" in n.text]
    assert len(warnings) == 1
    assert "0.png and 3.png" in warnings[0].text
    assert "1.png and 4.png" in warnings[0].text
    assert solution.figures["share of open triangles"] > 0.2


def test_a_view_whose_matches_lie_elsewhere_is_called_misplaced() -> None:
    measurements = small_measurements(5)
    generator = torch.Generator().manual_seed(0)
    records = []
    for r in measurements.records:
        shift = 20 * torch.rand(r.xy_b.shape, generator=generator, dtype=torch.float64) - 10
        records.append(
            replace(r, xy_a=r.xy_a + shift)
            if r.a == 2
            else replace(r, xy_b=r.xy_b + shift)
            if r.b == 2
            else r
        )
    solution = bundle_adjust(replace(measurements, records=tuple(records)), BundleOptions())
    assert ["misplaced" in n.text for n in solution.notices if n.subject == "2.png"] == [True]
    shares = np.array(solution.figures["share within 2 px by view"])
    assert shares.argmin() == 2
