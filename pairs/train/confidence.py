"""Learned confidence: a pixel that the network is sure of costs more (the pair network's specification, chapter 13.6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from masks.errors import UserError
from pairs.train.batch import PairBatch
from pairs.train.loss import LossValue, mean
from pairs.train.regression import Regr3D, pixel_losses


@dataclass(frozen=True, slots=True)
class ConfLoss:
    """Pixel losses times the predicted confidence, with a reward `alpha log(conf)` for being sure."""

    pixel_loss: Regr3D
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if self.alpha <= 0:
            raise UserError(f"ConfLoss: alpha={self.alpha} rewards no confidence, so that it would fall to its least value. Give a positive one.")

    def evaluate(self, batch: PairBatch, rng: np.random.Generator) -> LossValue:
        """Return the sum of both views' means; a view in which no pixel counts adds 0."""
        pixels = pixel_losses(self.pixel_loss, batch)
        loss_a = mean(weighted(pixels.a, batch.a.conf[pixels.mask_a], self.alpha))
        loss_b = mean(weighted(pixels.b, batch.b.conf[pixels.mask_b], self.alpha))
        # The names are those of the published logs, underscores included.
        details = {"conf_loss_1": float(loss_a.detach()), "conf_loss2": float(loss_b.detach())}
        return LossValue(loss_a + loss_b, {**details, **pixels.details})


def weighted(loss: Tensor, conf: Tensor, alpha: float) -> Tensor:
    """Return loss times confidence less the reward for being sure, elementwise."""
    return loss * conf - alpha * conf.log()
