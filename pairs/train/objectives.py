"""What the published networks were trained and judged by (docs/training.md, "Published trainings")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from pairs.train.criteria import APLoss, InfoNCE
from pairs.train.loss import Loss, WeightedSum
from pairs.train.matching import ConfMatchingLoss, MatchingLoss
from pairs.train.regression import ConfLoss, Regr3D
from pairs.train.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Training:
    """All numbers of one published training. Batches hold every pair in both orders."""

    train_loss: Loss
    test_loss: Loss
    schedule: Schedule
    starts_from: str
    """Whose weights it began with."""
    batch_size: int
    """Pairs a device and step."""
    accumulation: int
    """Steps before the weights change."""
    devices: int = 8


_DUST3R_LOSS = ConfLoss(Regr3D("avg_dis"), alpha=0.2)
_DUST3R_TEST = Regr3D("avg_dis", gt_scale=True, free="scale and shift")
_MAST3R_LOSS = WeightedSum(
    (
        (1.0, ConfLoss(Regr3D("avg_dis", keep_metric=True, sky_loss_value=2.0), alpha=0.2)),
        (
            0.075,
            ConfMatchingLoss(
                MatchingLoss(InfoNCE("proper", temperature=0.05), blocksize=8192), alpha=10.0, confmode="mean"
            ),
        ),
    )
)
_MAST3R_TEST = WeightedSum(
    (
        (1.0, Regr3D("avg_dis", keep_metric=True, gt_scale=True)),
        (-1.0, MatchingLoss(APLoss(torch.float16), negatives_padding=12288)),
    )
)

PUBLISHED: Mapping[str, Training] = {
    "dust3r-224-linear": Training(
        _DUST3R_LOSS,
        _DUST3R_TEST,
        Schedule(warmup_epochs=10, epochs=100),
        "CroCo v2, ViT-L and base decoder",
        16,
        1,
    ),
    "dust3r-512-linear": Training(
        _DUST3R_LOSS, _DUST3R_TEST, Schedule(warmup_epochs=20, epochs=100), "dust3r-224-linear", 4, 2
    ),
    "dust3r-512-dpt": Training(
        _DUST3R_LOSS, _DUST3R_TEST, Schedule(warmup_epochs=15, epochs=90), "dust3r-512-linear", 4, 2
    ),
    "mast3r": Training(
        _MAST3R_LOSS, _MAST3R_TEST, Schedule(warmup_epochs=8, epochs=50), "dust3r-512-dpt", 4, 2
    ),
}
"""The four published trainings."""
