"""Standard deviations of a solution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from small_measurements import small_measurements, small_views

from align.bundle.bundle_alignment import bundle_adjust, median_depths
from align.bundle.intrinsics import shared_intrinsics
from align.bundle.model import BundleModel, BundlePriors, weighted_grams
from align.bundle.observations import in_pieces, observe
from align.bundle.options import BundleOptions
from align.bundle.reprojection import BundleState
from align.bundle.uncertainty import pair_gradients
from align.measurements.gathered import Measurements
from align.measurements.known_cameras import Known
from align.solver.least_squares import schur_complement


def blurred(measurements: Measurements, sigma_px: float) -> Measurements:
    """Return the same with noise on one end of every match."""
    generator = torch.Generator().manual_seed(0)
    records = [
        replace(
            r, xy_b=r.xy_b + sigma_px * torch.randn(r.xy_b.shape, generator=generator, dtype=torch.float64)
        )
        for r in measurements.records
    ]
    return replace(measurements, records=tuple(records))


def test_the_pulls_of_all_pairs_are_the_reduced_gradient() -> None:
    measurements = small_measurements(4)
    median = median_depths(measurements.views)
    centres = torch.tensor([[24.0, 16.0]] * 4, dtype=torch.float64)
    intrinsics, _ = shared_intrinsics(measurements.views, small_views(4), centres, Known())
    obs = observe(measurements.views, median, measurements.records, intrinsics)
    rng = np.random.default_rng(0)
    R, t, size = np.tile(np.eye(3), (4, 1, 1)), rng.normal(0, 0.1, (4, 3)), np.zeros(4)
    # At the priors' own state only matches pull.
    wide = np.full(4, 0.1)
    priors = BundlePriors(
        intrinsics.log_focal,
        0.1,
        1.0,
        np.zeros(obs.block.shape),
        np.full(4, 0.02),
        R,
        t,
        size,
        0.1,
        wide,
        wide,
    )
    model = BundleModel(obs, in_pieces(obs), intrinsics, priors, 4.0)
    state = BundleState(R, t, size, intrinsics.log_focal, np.zeros((1, 2)), np.zeros(obs.block.shape))
    equations = model.equations(state)
    _, gradient = schur_complement(equations, equations.eliminated_diagonal)
    pulls = pair_gradients(model, state, weighted_grams(model, state), equations)
    assert len(pulls) == 6
    np.testing.assert_allclose(pulls.sum(0), gradient, atol=1e-9 * abs(gradient).max())


def test_what_is_held_has_no_deviation_and_all_else_has() -> None:
    solution = bundle_adjust(blurred(small_measurements(4), 0.5), BundleOptions())
    rotation = np.array(solution.figures["sigma rotation deg"])
    assert (rotation == 0).sum() == 1  # the root
    assert rotation[rotation > 0].min() > 0.001
    assert solution.figures["sigma focal share"][0] >= 0.01


def test_noise_four_times_as_large_widens_the_deviations() -> None:
    few, much = (
        bundle_adjust(blurred(small_measurements(4), sigma), BundleOptions()).figures["sigma rotation deg"]
        for sigma in (0.2, 0.8)
    )
    assert 2 < np.median(much) / np.median(few) < 8
