"""Levenberg-Marquardt on unknowns of two kinds: shared ones, and many that couple with a few shared ones only
and are eliminated.

A model knows its cost and its equations; here are the step, its damping and the reason for stopping. With
shared unknowns s and eliminated ones e, whose block D is diagonal, a step solves

    [ A   C^T ] [ds]     [g_s]        S = A - C^T D^-1 C,   S ds = -(g_s - C^T D^-1 g_e)
    [ C    D  ] [de] = - [g_e]        de = -D^-1 (g_e + C ds)

with the diagonals of A and D times one plus the damping (Marquardt's scaling). S, the Schur complement, has
the size of the cameras, not of the depths.

A step that ends in a cost that is not finite is refused like one that ends higher, so what is returned is
finite whenever the start is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.sparse import coo_array, csc_array, diags_array
from scipy.sparse.linalg import splu

State = TypeVar("State")
Matrix = np.ndarray | csc_array
"""Symmetric; sparse where there are many shared unknowns."""
Stopped = Literal["small gain", "all steps used", "no step lowers the cost", "cost not finite"]

_SPARSE_FROM = 2000
"""Shared unknowns, some 300 views: from here on a sparse factorisation is faster, and a dense matrix would
fill the memory."""


@dataclass(frozen=True, slots=True)
class NormalEquations:
    """Normal equations in N shared unknowns and, in G groups, up to B eliminated ones each, which
    never couple with one another.

    The eliminated unknowns of a group couple with the same C columns of the shared ones; one column may be
    named twice, its couplings then add up. Padding: an eliminated unknown with diagonal 1, gradient 0 and no
    coupling; a column with the number N.
    """

    matrix: Matrix  # (N, N)
    gradient: np.ndarray  # (N,)
    eliminated_diagonal: np.ndarray  # (G, B), > 0
    eliminated_gradient: np.ndarray  # (G, B)
    coupling: np.ndarray  # (G, B, C)
    columns: np.ndarray  # (G, C) int

    def __post_init__(self) -> None:
        num_groups, num_eliminated = self.eliminated_diagonal.shape
        if self.coupling.shape != (
            num_groups,
            num_eliminated,
            self.columns.shape[1],
        ) or self.eliminated_gradient.shape != (num_groups, num_eliminated):
            raise ValueError(
                f"couplings {self.coupling.shape} do not fit eliminated unknowns "
                f"{self.eliminated_diagonal.shape} and columns {self.columns.shape}"
            )


@dataclass(frozen=True, slots=True)
class Step:
    """A change of all unknowns."""

    shared: np.ndarray  # (N,)
    eliminated: np.ndarray  # (G, B)


class Model(Protocol[State]):
    """What is minimised, around any state."""

    def cost(self, state: State) -> float:
        """Return the cost; whatever it is, it is not raised."""
        ...

    def equations(self, state: State) -> NormalEquations:
        """Return the gradient of the cost and a positive semidefinite matrix close to its second
        derivative.
        """
        ...

    def retract(self, state: State, step: Step) -> State:
        """Return the state after a step."""
        ...


@dataclass(frozen=True, slots=True)
class LevenbergMarquardtOptions:
    """When to stop, and how the damping follows success and failure.

    The tolerance is for bundles: 1e-5 in its place takes 15 steps instead of 6 and moves no camera
    (docs/bundle_alignment.md, "Damping and schedule").
    """

    max_steps: int = 12
    relative_tolerance: float = 1e-3
    """Stop after a step that lowers the cost by a smaller share."""
    initial_damping: float = 1e-3
    """The diagonal is multiplied by one plus this: by a factor, not a summand, so that the units of the
    unknowns
    play no part."""
    damping_decrease: float = 0.2
    """Factor of the damping after success."""
    damping_increase: float = 10.0
    """Factor after failure."""
    min_damping: float = 1e-8
    """Next to it the diagonal hardly changes: the step is Gauss and Newton's."""
    min_increased_damping: float = 1e-4
    """From the least damping it would take many failures to get anywhere."""
    max_tries: int = 6
    """Dampings tried for one step."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How a descent went."""

    costs: tuple[float, ...]
    """At the start and after every step."""
    stopped: Stopped
    damping: float
    """To go on with."""


def levenberg_marquardt(
    model: Model[State], state: State, free: np.ndarray, options: LevenbergMarquardtOptions
) -> tuple[State, Summary]:
    """Return the state of least cost that was met and how it was found. `free` (N,) bool says which
    shared unknowns move: the gauge and what is fixed do not.
    """
    cost, damping = model.cost(state), options.initial_damping
    costs = [cost]
    if not np.isfinite(cost):
        return state, Summary((cost,), "cost not finite", damping)
    for _ in range(options.max_steps):
        equations = model.equations(state)
        found, predicted = None, 0.0
        for _ in range(options.max_tries):
            step = solve(equations, free, damping)
            found, predicted = (
                _lower(model, state, cost, step),
                max(predicted, predicted_reduction(equations, step)),
            )
            if found is not None:
                break
            damping = max(damping * options.damping_increase, options.min_increased_damping)
        if found is None:
            # At the bottom rounding alone decides whether a step leads lower: then the parabola promises no
            # more than the tolerance, and this is convergence.
            at_bottom = predicted <= options.relative_tolerance * cost
            return state, Summary(
                tuple(costs), "small gain" if at_bottom else "no step lowers the cost", damping
            )
        damping = max(damping * options.damping_decrease, options.min_damping)
        previous, (state, cost) = cost, found
        costs.append(cost)
        if previous - cost <= options.relative_tolerance * previous:
            return state, Summary(tuple(costs), "small gain", damping)
    return state, Summary(tuple(costs), "all steps used", damping)


def _lower(model: Model[State], state: State, cost: float, step: Step | None) -> tuple[State, float] | None:
    """Return where the step leads and its cost, or nothing when that is not lower."""
    if step is None:
        return None
    after = model.retract(state, step)
    reached = model.cost(after)
    # A comparison with NaN is false: such a step is refused.
    return (after, reached) if reached <= cost else None


def predicted_reduction(equations: NormalEquations, step: Step | None) -> float:
    """Return by how much a full step would lower the cost if it were the parabola of the equations; infinite
    without a step.
    """
    if step is None:
        return np.inf
    return (
        float(-(equations.gradient @ step.shared) - (equations.eliminated_gradient * step.eliminated).sum())
        / 2
    )


def solve(equations: NormalEquations, free: np.ndarray, damping: float = 0.0) -> Step | None:
    """Return the step that solves the equations with their diagonal times (1 + damping); shared unknowns that
    are not free stay.

    Returns nothing when the equations are not finite or not positive definite.
    """
    eliminated_diagonal = equations.eliminated_diagonal * (1 + damping)
    matrix, gradient = schur_complement(equations, eliminated_diagonal)
    shared = np.zeros(len(gradient))
    kept = np.flatnonzero(free)
    solver = factorised(matrix, kept, damping * equations.matrix.diagonal())
    if solver is None or not np.isfinite(gradient).all():
        return None
    shared[kept] = -solver(gradient[kept])
    # Back-substitution: each eliminated unknown has an equation of its own once the shared ones are known.
    eliminated = -(equations.eliminated_gradient + coupling_product(equations, shared)) / eliminated_diagonal
    return Step(shared, eliminated) if np.isfinite(shared).all() and np.isfinite(eliminated).all() else None


def factorised(
    matrix: Matrix, kept: np.ndarray, added: np.ndarray | float = 0.0
) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return what solves the rows and columns `kept` (K,) of a matrix whose diagonal is added to, for right
    sides (K,) or (K, R).

    Returns nothing when that matrix is not finite or not positive definite.
    """
    added = np.broadcast_to(added, len(matrix.diagonal()))[kept]
    if isinstance(matrix, np.ndarray):
        dense = matrix[np.ix_(kept, kept)]
        dense[np.diag_indices_from(dense)] += added
        try:
            factor = cho_factor(dense, lower=True)
        except (LinAlgError, ValueError):  # ValueError: infinite or NaN entries
            return None
        return lambda right: cho_solve(factor, right)
    sparse = matrix[kept][:, kept]
    if not np.isfinite(sparse.data).all():
        return None
    try:
        # Without pivoting the factors are those of Cholesky, and their diagonal tells whether the matrix is
        # positive definite.
        lu = splu(
            csc_array(sparse + diags_array(added)),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
    except RuntimeError:  # exactly singular
        return None
    return lu.solve if (lu.U.diagonal() > 0).all() else None


def scatter_matrix(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, size: int) -> Matrix:
    """Return the matrix (size, size) of sums of values by their cell; rows and columns numbered `size` are
    padding.
    """
    rows, columns, values = rows.ravel(), columns.ravel(), values.ravel()
    if size < _SPARSE_FROM:
        # bincount adds in the order of the entries: equal input gives equal bytes, unlike a threaded product.
        return np.bincount(rows * (size + 1) + columns, values, (size + 1) ** 2).reshape(size + 1, size + 1)[
            :size, :size
        ]
    inside = (rows < size) & (columns < size)
    return csc_array(coo_array((values[inside], (rows[inside], columns[inside])), (size, size)))


def schur_complement(
    equations: NormalEquations, eliminated_diagonal: np.ndarray
) -> tuple[Matrix, np.ndarray]:
    """Return the matrix (N, N) and gradient (N,) of the shared unknowns after the others are
    eliminated.
    """
    columns, size = equations.columns, len(equations.gradient)
    weighted = equations.coupling / eliminated_diagonal[..., None]
    by_matrix = weighted.transpose(0, 2, 1) @ equations.coupling  # (G, C, C)
    by_gradient = (equations.eliminated_gradient[:, None] @ weighted)[:, 0]  # (G, C)
    rows, others = np.broadcast_arrays(columns[:, :, None], columns[:, None])
    taken = scatter_matrix(rows, others, by_matrix, size)
    return equations.matrix - taken, equations.gradient - scatter_add(columns, by_gradient, size)


def coupling_product(equations: NormalEquations, shared: np.ndarray) -> np.ndarray:
    """Return what the shared unknowns' values (N,) add to the gradient of the eliminated ones (G, B)."""
    by_column = np.append(shared, 0.0)[equations.columns]
    return (equations.coupling @ by_column[..., None])[..., 0]


def scatter_add(columns: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """Return the sums (size,) of values by their column; the column numbered `size` is padding."""
    return np.bincount(columns.ravel(), values.ravel(), size + 1)[:size]
