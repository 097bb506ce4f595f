"""The published descent: Adam on all free parameters (docs/dense_alignment.md, "Descent")."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from align.dense.objective import loss_and_gradient
from align.dense.parameters import DenseParameters, Frozen
from align.dense.terms import DenseTerms
from align.solver.adam import Moments, learning_rate
from masks.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class DenseDescent:
    """What a descent ended with."""

    parameters: DenseParameters
    """After the last step; the last ones with a finite loss when it was stopped."""
    losses: Tensor
    """(I,), double, before each step; of least squares at the start and the end."""
    rates: Tensor
    """(I,), double, learning rates; of least squares none."""
    num_steps: int
    stopped: str
    """Why it ended: "finished", or what went wrong and where."""

    @property
    def last_loss(self) -> float:
        """The published result: Adam's loss before the last step, infinite without steps."""
        return float(self.losses[-1]) if len(self.losses) else math.inf


def descend(
    terms: DenseTerms, start: DenseParameters, frozen: Frozen, progress: Progress = silent
) -> DenseDescent:
    """Take `num_iterations` steps. What is frozen stays to the bit; equal input gives equal bytes.

    Stops early, and says so, when a loss is not finite. Beyond the terms, memory is five times the depth
    maps.
    """
    options = terms.options
    moments = _Memory.empty(start)
    sound, parameters, stopped = start, start, "finished"
    losses, rates = [], []
    for step in range(options.num_iterations):
        done = step / options.num_iterations
        rate = learning_rate(options.schedule, options.learning_rate, options.least_learning_rate, done)
        value, gradient = loss_and_gradient(terms, parameters, frozen)
        losses.append(value)
        rates.append(rate)
        if not math.isfinite(value):
            parameters, stopped = sound, f"loss {value} in step {step + 1} of {options.num_iterations}"
            break
        sound, parameters = parameters, moments.step(parameters, gradient, rate)
        progress("aligning", step + 1, options.num_iterations)
    return DenseDescent(
        parameters,
        torch.tensor(losses, dtype=torch.float64),
        torch.tensor(rates, dtype=torch.float64),
        len(losses),
        stopped,
    )


@dataclass(frozen=True, slots=True)
class _Memory:
    """Adam's memory of all parameters."""

    shared: dict[str, Moments]
    log_depth: list[Moments]

    @staticmethod
    def empty(like: DenseParameters) -> _Memory:
        names = [field.name for field in fields(like) if field.name != "log_depth"]
        return _Memory(
            {name: Moments.zero(getattr(like, name)) for name in names},
            [Moments.zero(depth) for depth in like.log_depth],
        )

    def step(self, parameters: DenseParameters, gradient: DenseParameters, rate: float) -> DenseParameters:
        """Return the moved parameters."""
        log_depth = tuple(
            memory.step(depth, by_depth, rate)
            for memory, depth, by_depth in zip(self.log_depth, parameters.log_depth, gradient.log_depth)
        )
        moved = {
            name: memory.step(getattr(parameters, name), getattr(gradient, name), rate)
            for name, memory in self.shared.items()
        }
        return replace(parameters, log_depth=log_depth, **moved)
