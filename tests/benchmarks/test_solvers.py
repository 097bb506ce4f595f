"""The benchmark runs every solver, and tells of each what it found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulated import Recipe, simulated
from small_predictions import TRUTH
from solvers import SOLVERS, Pace, measure, true_share

from align.evaluation.camera_errors import pair_errors


def test_the_default_solver_is_told_to_be_right(recipe: Recipe, folder: Path) -> None:
    cost = measure(recipe, "default", folder, Pace(repeats=2))
    assert pair_errors(cost.solved.cam_from_world, TRUTH)[0].max() < 0.2
    assert true_share(simulated(recipe, folder), cost.solved) < 0.002
    assert cost.solved.pixel_loss < 0.05
    assert cost.num_pairs == 10
    assert 0 < cost.stages[0].seconds < cost.seconds


def test_the_loop_over_pairs_can_be_run_in_part(recipe: Recipe, folder: Path) -> None:
    cost = measure(recipe, "adam, a loop over pairs", folder, Pace(plain_steps=2))
    assert not cost.whole
    assert [stage.steps for stage in cost.stages] == [300, 300]
    assert cost.seconds > sum(stage.seconds for stage in cost.stages)


@pytest.mark.slow
@pytest.mark.parametrize(
    "solver", [name for name in SOLVERS if name not in ("default", "adam, a loop over pairs")]
)
def test_every_other_solver_runs(recipe: Recipe, folder: Path, solver: str) -> None:
    cost = measure(recipe, solver, folder, Pace())
    assert cost.whole
    assert np.isfinite(cost.solved.pixel_loss)
    assert np.isfinite(cost.solved.cam_from_world).all()
