"""What a solution says against itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from small_gathered import small_gathered

from align.bundle.bundle_alignment import gauss_newton_align
from align.bundle.options import GaussNewton
from align.measurements.gathered import Gathered
from masks.notice import Level


def turned_pairs(gathered: Gathered, wrong: set[tuple[int, int]], degrees: float) -> Gathered:
    """Return the same with both runs of some pairs turned about the vertical through the object."""
    R = Rotation.from_euler("y", degrees, degrees=True).as_matrix()
    samples = []
    for s in gathered.samples:
        pair = (min(s.frame, s.other), max(s.frame, s.other))
        turn = R if s.frame < s.other else R.T
        samples.append(replace(s, seen=(s.seen - [0, 0, 4]) @ turn.T + [0, 0, 4]) if pair in wrong else s)
    return replace(gathered, samples=tuple(samples))


def test_an_honest_scene_is_not_suspected() -> None:
    solution = gauss_newton_align(small_gathered(5), GaussNewton())
    assert solution.notices == ()
    assert solution.figures["share of matches in rejected pairs"] == 0
    assert solution.figures["share of open triangles"] == 0


def test_pairs_that_disagree_make_a_scene_contradictory_and_are_named() -> None:
    solution = gauss_newton_align(turned_pairs(small_gathered(5), {(0, 3), (1, 4)}, 90), GaussNewton())
    warnings = [n for n in solution.notices if n.level == Level.WARNING and "disagree" in n.text]
    assert len(warnings) == 1
    assert "0.png and 3.png" in warnings[0].text
    assert "1.png and 4.png" in warnings[0].text
    assert solution.figures["share of open triangles"] > 0.2


def test_a_view_whose_matches_lie_elsewhere_is_called_misplaced() -> None:
    gathered = small_gathered(5)
    generator = torch.Generator().manual_seed(0)
    records = []
    for r in gathered.records:
        shift = 20 * torch.rand(r.xy_b.shape, generator=generator, dtype=torch.float64) - 10
        records.append(
            replace(r, xy_a=r.xy_a + shift)
            if r.a == 2
            else replace(r, xy_b=r.xy_b + shift)
            if r.b == 2
            else r
        )
    solution = gauss_newton_align(replace(gathered, records=tuple(records)), GaussNewton())
    assert ["misplaced" in n.text for n in solution.notices if n.subject == "2.png"] == [True]
    shares = np.array(solution.figures["share within 2 px by view"])
    assert shares.argmin() == 2
