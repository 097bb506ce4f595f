"""What a loss is, and sums of losses (docs/training.md, "Composition")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from torch import Tensor

from pairs.train.batch import PairBatch


@dataclass(frozen=True, slots=True)
class LossValue:
    """What a loss returns."""

    value: Tensor  # (), to descend
    details: Mapping[str, float] = field(default_factory=dict)
    """Numbers to log, by the names of the published logs; they are not weighted."""


class Loss(Protocol):
    """One number for a batch of pairs. Losses are data: equal losses say the same of equal batches."""

    def evaluate(self, batch: PairBatch, rng: np.random.Generator) -> LossValue:
        """Return the loss; `rng` serves losses that shuffle their input and is left alone by all others."""
        ...


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """`a * L1 + b * L2 + ...`; a weight may be negative."""

    terms: tuple[tuple[float, Loss], ...]

    def evaluate(self, batch: PairBatch, rng: np.random.Generator) -> LossValue:
        """Return the weighted sum, with the details of all terms; of two details of one name the later one
        stays.
        """
        (weight, first), *others = self.terms
        found = first.evaluate(batch, rng)
        value, details = weight * found.value, dict(found.details)
        for weight, loss in others:
            found = loss.evaluate(batch, rng)
            value = value + weight * found.value
            details |= found.details
        return LossValue(value, details)


def mean(losses: Tensor) -> Tensor:
    """Return the mean; that of nothing is 0, and flows back nothing."""
    return losses.mean() if losses.numel() else losses.sum()
