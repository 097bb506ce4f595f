"""Damped least squares with eliminated unknowns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.sparse import csc_array

from align.solver import least_squares
from align.solver.least_squares import (
    LevenbergMarquardtOptions,
    NormalEquations,
    Step,
    levenberg_marquardt,
    solve,
)


@pytest.fixture(params=["dense", "sparse"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have small matrices dense, as they are, or sparse, as large ones are."""
    if request.param == "sparse":
        monkeypatch.setattr(least_squares, "_SPARSE_FROM", 0)
    return request.param


FREE = np.array([True, False, True, True, True])


def random_equations(seed: int, storage: str = "dense") -> tuple[NormalEquations, np.ndarray, np.ndarray]:
    """Return equations of 5 shared and 2 x 4 lone unknowns, and the same as one dense matrix (13, 13) with
    its gradient.
    """
    rng = np.random.default_rng(seed)
    # A column named twice, and one that is padding.
    columns = np.array([[0, 2, 2], [4, 1, 5]])
    coupling, diagonal = rng.normal(size=(2, 4, 3)), rng.uniform(5, 9, (2, 4))
    gradient, eliminated_gradient = rng.normal(size=5), rng.normal(size=(2, 4))
    half = rng.normal(size=(5, 5))
    matrix = half @ half.T + 20 * np.eye(5)
    dense = np.zeros((13, 13))
    dense[:5, :5] = matrix
    for group in range(2):
        for eliminated in range(4):
            k = 5 + 4 * group + eliminated
            dense[k, k] = diagonal[group, eliminated]
            for value, column in zip(coupling[group, eliminated], columns[group]):
                if column < 5:
                    dense[k, column] += value
                    dense[column, k] += value
    matrix = csc_array(matrix) if storage == "sparse" else matrix
    return (
        NormalEquations(matrix, gradient, diagonal, eliminated_gradient, coupling, columns),
        dense,
        np.concatenate([gradient, eliminated_gradient.ravel()]),
    )


@pytest.mark.parametrize("damping", [0.0, 1e-3, 1.0])
def test_elimination_gives_the_dense_solution(damping: float, storage: str) -> None:
    equations, dense, gradient = random_equations(0, storage)
    kept = np.flatnonzero(np.concatenate([FREE, np.ones(8, bool)]))
    dense = dense + damping * np.diag(np.diagonal(dense))
    expected = np.zeros(13)
    expected[kept] = -np.linalg.solve(dense[np.ix_(kept, kept)], gradient[kept])
    step = solve(equations, FREE, damping)
    assert step is not None
    np.testing.assert_allclose(
        np.concatenate([step.shared, step.eliminated.ravel()]), expected, rtol=1e-9, atol=1e-12
    )


def test_what_is_held_stays_exactly() -> None:
    step = solve(random_equations(1)[0], FREE)
    assert step is not None
    assert step.shared[1] == 0


@pytest.mark.parametrize("spoil", [np.nan, np.inf])
def test_equations_that_are_not_finite_give_no_step(spoil: float, storage: str) -> None:
    equations, _, _ = random_equations(2, storage)
    for name in ("matrix", "gradient", "eliminated_gradient", "coupling"):
        spoiled = getattr(equations, name).copy()
        (spoiled if isinstance(spoiled, np.ndarray) else spoiled.data).flat[0] = spoil
        with np.errstate(invalid="ignore"):
            assert solve(replace(equations, **{name: spoiled}), FREE) is None, name


def test_an_indefinite_matrix_gives_no_step(storage: str) -> None:
    equations, _, _ = random_equations(3, storage)
    assert solve(replace(equations, matrix=-equations.matrix), FREE) is None


@dataclass(frozen=True)
class Valley:
    """Rosenbrock's valley in two shared unknowns, with a cliff beyond which the cost is NaN, and one lone
    unknown that follows the first.
    """

    cliff: float = np.inf

    def residual(self, x: np.ndarray) -> np.ndarray:
        return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0], x[2] - x[0]])

    def cost(self, x: np.ndarray) -> float:
        return float("nan") if x[0] > self.cliff else float(self.residual(x) @ self.residual(x)) / 2

    def equations(self, x: np.ndarray) -> NormalEquations:
        J = np.array([[-20 * x[0], 10, 0], [-1, 0, 0], [-1, 0, 1]])
        A, g = J.T @ J, J.T @ self.residual(x)
        return NormalEquations(A[:2, :2], g[:2], A[2:, 2:], g[None, 2:], A[2:, :2][None], np.array([[0, 1]]))

    def retract(self, x: np.ndarray, step: Step) -> np.ndarray:
        return x + np.concatenate([step.shared, step.eliminated.ravel()])


START = np.array([-1.2, 1.0, 5.0])
BOTH = np.ones(2, bool)
PATIENT = LevenbergMarquardtOptions(max_steps=100, relative_tolerance=0)


def test_the_valley_is_walked_to_its_end() -> None:
    end, descent = levenberg_marquardt(Valley(), START, BOTH, PATIENT)
    np.testing.assert_allclose(end, [1, 1, 1], atol=1e-9)
    assert all(later <= earlier for earlier, later in zip(descent.costs, descent.costs[1:]))


def test_a_step_into_nan_is_refused() -> None:
    end, descent = levenberg_marquardt(Valley(cliff=0.3), START, BOTH, PATIENT)
    assert np.isfinite(end).all()
    assert np.isfinite(descent.costs).all()
    assert end[0] <= 0.3
    assert descent.costs[-1] < descent.costs[0]


def test_a_start_without_a_finite_cost_is_returned_as_it_is() -> None:
    end, descent = levenberg_marquardt(Valley(cliff=-2.0), START, BOTH, PATIENT)
    assert descent.stopped == "cost not finite"
    np.testing.assert_array_equal(end, START)


def test_a_small_gain_ends_the_descent() -> None:
    _, descent = levenberg_marquardt(
        Valley(), START, BOTH, LevenbergMarquardtOptions(max_steps=100, relative_tolerance=0.9)
    )
    assert descent.stopped == "small gain"
    assert len(descent.costs) < 10


@dataclass(frozen=True)
class Rough(Valley):
    """The valley as rounding shows it, nowhere lower than at the place asked about first."""

    def cost(self, x: np.ndarray) -> float:
        return 100.0 + float(not np.array_equal(x, START))


def test_no_lower_place_at_the_bottom_is_an_end_and_before_it_a_failure() -> None:
    assert (
        levenberg_marquardt(Rough(), START, BOTH, LevenbergMarquardtOptions(relative_tolerance=1e-3))[
            1
        ].stopped
        == "no step lowers the cost"
    )
    assert (
        levenberg_marquardt(Rough(), START, BOTH, LevenbergMarquardtOptions(relative_tolerance=1.0))[
            1
        ].stopped
        == "small gain"
    )


def test_shapes_that_do_not_fit_are_named() -> None:
    equations, _, _ = random_equations(4)
    with pytest.raises(ValueError, match="do not fit"):
        replace(equations, coupling=equations.coupling[..., :2])
