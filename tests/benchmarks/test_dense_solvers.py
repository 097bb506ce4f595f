"""The benchmark runs every solver of the dense losses, and tells of each what it found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dense_solvers import measure
from simulated import Recipe
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
