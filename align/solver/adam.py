"""Adam's step and the learning rates of the published descents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

_BETA = 0.9  # of both moments, as published; Adam's usual second one is 0.999
_EPSILON = 1e-8  # Adam's usual


def learning_rate(
    schedule: Literal["cosine", "linear"], rate: float, final_rate: float, progress: float
) -> float:
    """Return the learning rate when a share `progress` of the steps is done."""
    if schedule == "linear":
        return (1 - progress) * rate + progress * final_rate
    return final_rate + (rate - final_rate) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(slots=True)
class Moments:
    """Adam's memory of one parameter."""

    first: Tensor
    second: Tensor
    count: int

    @staticmethod
    def zero(like: Tensor) -> Moments:
        """Return the moments before the first step."""
        return Moments(torch.zeros_like(like), torch.zeros_like(like), 0)

    def step(self, value: Tensor, gradient: Tensor, rate: float) -> Tensor:
        """Return the moved value. An entry that never had a gradient stays where it is, to the bit."""
        self.count += 1
        self.first.mul_(_BETA).add_(gradient, alpha=1 - _BETA)
        self.second.mul_(_BETA).addcmul_(gradient, gradient, value=1 - _BETA)
        bias = 1 - _BETA**self.count
        return value.addcdiv(
            self.first, (self.second.sqrt() / math.sqrt(bias)).add_(_EPSILON), value=-rate / bias
        )
