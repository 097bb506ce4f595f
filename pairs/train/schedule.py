"""Learning rate and optimiser of the published trainings (docs/training.md, "Published trainings")."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from masks.errors import UserError

BETAS = (0.9, 0.95)
"""Memories of AdamW."""
WEIGHT_DECAY = 0.05
"""Of matrices and kernels; vectors have none."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A straight rise from 0, then half a cosine down."""

    rate: float = 1e-4
    """Highest learning rate."""
    least_rate: float = 1e-6
    """Learning rate at the end."""
    warmup_epochs: float = 10
    epochs: float = 100

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_epochs < self.epochs:
            raise UserError(
                f"a warm-up of {self.warmup_epochs} epochs leaves nothing of {self.epochs}. Make it "
                "shorter, or train longer."
            )


def learning_rate(schedule: Schedule, epoch: float) -> float:
    """Return the rate at a fractional epoch, changed at every iteration; after the last epoch it stays at its
    least.
    """
    if epoch < schedule.warmup_epochs:
        return schedule.rate * epoch / schedule.warmup_epochs
    done = min(1.0, (epoch - schedule.warmup_epochs) / (schedule.epochs - schedule.warmup_epochs))
    return schedule.least_rate + (schedule.rate - schedule.least_rate) * (1 + math.cos(math.pi * done)) / 2


def parameter_groups(network: nn.Module, weight_decay: float = WEIGHT_DECAY) -> list[dict[str, Any]]:
    """Return the trained parameters in the form of torch's optimisers: those with decay, and biases and
    vectors without.
    """
    trained = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    # Decay pulls towards zero, which is no neutral value for norms and biases.
    decayed = [parameter for name, parameter in trained if parameter.ndim >= 2 and not name.endswith("bias")]
    others = [parameter for name, parameter in trained if parameter.ndim < 2 or name.endswith("bias")]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def make_optimizer(network: nn.Module, schedule: Schedule) -> torch.optim.AdamW:
    """Return the published optimiser. Its rate is to be set from `learning_rate` before every iteration."""
    return torch.optim.AdamW(parameter_groups(network), lr=schedule.rate, betas=BETAS)
