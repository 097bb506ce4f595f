"""The benchmark runs every solver of the dense losses, and tells of each what it found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dense_solvers import measure, problem_of
from simulated import Recipe, simulated
from small_predictions import TRUTH

from align.dense.options import DenseOptions
from align.evaluation.camera_errors import pair_errors

OPTIONS = DenseOptions(num_iterations=40)


def test_the_loop_over_pairs_and_the_fast_sums_end_alike(recipe: Recipe, folder: Path) -> None:
    plain, fast = (measure(recipe, solver, OPTIONS, folder) for solver in ("plain", "adam"))
    # Exact predictions start at the bottom: first steps, of full length all the same, follow rounding alone.
    assert fast.loss == pytest.approx(plain.loss, rel=0.5)
    assert fast.seconds < plain.seconds
    assert fast.peak_mb > 0


def test_least_squares_find_the_true_cameras(recipe: Recipe, folder: Path) -> None:
    found = measure(recipe, "least-squares", OPTIONS, folder)
    assert pair_errors(np.linalg.inv(found.world_from_cam), TRUTH)[0].max() < 0.5
    assert found.loss < measure(recipe, "adam", replace(OPTIONS, num_iterations=5), folder).loss


def test_a_pair_is_read_in_both_orders_and_absent_off_the_object(recipe: Recipe, folder: Path) -> None:
    predictions = simulated(recipe, folder).predictions
    problem = problem_of(predictions)
    assert problem.edges[:2] == ((0, 1), (1, 0))
    entry = predictions.load(0)
    assert entry.ba is not None
    assert np.array_equal(problem.pairs[1].points_i.numpy(), entry.ba.a_in_a.astype(np.float32))
    assert len(problem.pairs) == len(problem.edges)
    with pytest.raises(IndexError):
        problem.pairs[len(problem.edges)]
