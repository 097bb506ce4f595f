"""Learning rate, optimiser and clipping of the published fine-tuning of VGGT (VGGT's specification, chapter 16.5)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from masks.errors import UserError
from pairs.networks.vggt.network import Vggt


@dataclass(frozen=True, slots=True)
class FineTuning:
    """A straight rise, then half a cosine down, over the whole training. The aggregator is frozen in the published one."""

    rate: float = 5e-5
    """Highest learning rate."""
    least_rate: float = 1e-8
    """At the beginning and at the end."""
    warmup_share: float = 0.05
    """Of the training."""
    weight_decay: float = 0.05
    most_gradient: float = 1.0
    """Norm that the gradient of each part of the network is cut to."""
    epochs: int = 20
    batches_an_epoch: int = 800

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_share < 1:
            raise UserError(f"a warm-up of {self.warmup_share:.0%} leaves nothing of the training. Choose a share below 1.")


def learning_rate(training: FineTuning, done: float) -> float:
    """Return the rate when a share `done` of the training, 0 to 1, is over."""
    span = training.rate - training.least_rate
    if done < training.warmup_share:
        return training.least_rate + span * done / training.warmup_share
    down = min(1.0, (done - training.warmup_share) / (1 - training.warmup_share))
    return training.least_rate + span * (1 + math.cos(math.pi * down)) / 2


def make_optimizer(network: Vggt, training: FineTuning) -> torch.optim.AdamW:
    """Return the optimiser of all parameters that are trained. Its rate is to be set from `learning_rate` before every step."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(trained, lr=training.rate, weight_decay=training.weight_decay)


def clip_parts(network: Vggt, training: FineTuning) -> dict[str, float]:
    """Cut the gradient of the aggregator and of each head, each by itself, and return their norms before."""
    norms = {}
    for name, part in network.named_children():
        trained = [parameter for parameter in part.parameters() if parameter.grad is not None]
        if trained:
            norms[name] = float(nn.utils.clip_grad_norm_(trained, training.most_gradient))
    return norms
