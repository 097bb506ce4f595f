"""Standard deviations of a solution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from small_gathered import small_gathered, small_views

from align.bundle.bundle_alignment import gauss_newton_align, middle_depths
from align.bundle.intrinsics import lenses_of
from align.bundle.model import BlockModel, Priors, weighted_sums
from align.bundle.observations import in_pieces, observe
from align.bundle.options import GaussNewton
from align.bundle.reprojection import BlockState
from align.bundle.uncertainty import pair_pulls
from align.measurements.gathered import Gathered
from align.measurements.known_cameras import Known
from align.solver.least_squares import reduced


def blurred(gathered: Gathered, sigma_px: float) -> Gathered:
    """Return the same with noise on one end of every match."""
    generator = torch.Generator().manual_seed(0)
    records = [
        replace(
            r, xy_b=r.xy_b + sigma_px * torch.randn(r.xy_b.shape, generator=generator, dtype=torch.float64)
        )
        for r in gathered.records
    ]
    return replace(gathered, records=tuple(records))


def test_the_pulls_of_all_pairs_are_the_reduced_gradient() -> None:
    gathered = small_gathered(4)
    middle = middle_depths(gathered.views)
    centres = torch.tensor([[24.0, 16.0]] * 4, dtype=torch.float64)
    lenses, _ = lenses_of(gathered.views, small_views(4), centres, Known())
    obs = observe(gathered.views, middle, gathered.records, lenses)
    rng = np.random.default_rng(0)
    R, t, size = np.tile(np.eye(3), (4, 1, 1)), rng.normal(0, 0.1, (4, 3)), np.zeros(4)
    # At the priors' own state only matches pull.
    wide = np.full(4, 0.1)
    priors = Priors(
        lenses.log_focal, 0.1, 1.0, np.zeros(obs.block.shape), np.full(4, 0.02), R, t, size, 0.1, wide, wide
    )
    model = BlockModel(obs, in_pieces(obs), lenses, priors, 4.0)
    state = BlockState(R, t, size, lenses.log_focal, np.zeros((1, 2)), np.zeros(obs.block.shape))
    equations = model.equations(state)
    _, gradient = reduced(equations, equations.lone_diagonal)
    pulls = pair_pulls(model, state, weighted_sums(model, state), equations)
    assert len(pulls) == 6
    np.testing.assert_allclose(pulls.sum(0), gradient, atol=1e-9 * abs(gradient).max())


def test_what_is_held_has_no_deviation_and_all_else_has() -> None:
    solution = gauss_newton_align(blurred(small_gathered(4), 0.5), GaussNewton())
    rotation = np.array(solution.figures["sigma rotation deg"])
    assert (rotation == 0).sum() == 1  # the root
    assert rotation[rotation > 0].min() > 0.001
    assert solution.figures["sigma focal share"][0] >= 0.01


def test_noise_four_times_as_large_widens_the_deviations() -> None:
    few, much = (
        gauss_newton_align(blurred(small_gathered(4), sigma), GaussNewton()).figures["sigma rotation deg"]
        for sigma in (0.2, 0.8)
    )
    assert 2 < np.median(much) / np.median(few) < 8
