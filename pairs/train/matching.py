"""Losses on descriptors at corresponding pixels (docs/training.md, "Matching")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from masks.errors import UserError
from pairs.networks.dust3r.heads import HeadOutput
from pairs.train.batch import Correspondences, PairBatch, required
from pairs.train.criteria import Criterion, InfoNCE
from pairs.train.loss import LossValue, mean
from pairs.train.regression import weighted


@dataclass(frozen=True, slots=True)
class MatchingLoss:
    """The mean of a criterion over the matched pixels; those that do not match are candidates only."""

    criterion: Criterion
    negatives_padding: int = 0
    """Further candidates of b: its first pixels, row by row, that are in no correspondence."""
    use_pts3d: bool = False
    """Whether points are compared, by 1 / (1 + distance), instead of descriptors by their dot product."""
    blocksize: int | None = None
    """More correspondences than this are shuffled and compared in blocks of so many: memory grows with N
    times it. Blocks have no padding."""

    def __post_init__(self) -> None:
        if self.negatives_padding < 0 or (self.blocksize is not None and self.blocksize < 1):
            raise UserError(
                f"MatchingLoss: negatives_padding={self.negatives_padding} or blocksize={self.blocksize} "
                "is too small."
            )

    def evaluate(self, batch: PairBatch, rng: np.random.Generator) -> LossValue:
        """Return the mean over all matched pixels of the batch, 0 without any; `rng` shuffles blocks."""
        matches = match_losses(self, batch, rng)
        return LossValue(mean(matches.loss[matches.correspondences.matched]), matches.details)


@dataclass(frozen=True, slots=True)
class ConfMatchingLoss:
    """Match losses times the predicted confidence of both pixels, with a reward `alpha log(conf)` for being
    sure.
    """

    matching: MatchingLoss
    alpha: float = 1.0
    confmode: Literal["prod", "mean"] = "prod"
    """Confidence of a match: product or mean of its pixels' ones."""
    neg_conf_loss_quantile: float | None = None
    """When given, pixels that do not match cost as much as this quantile of the matches, times their
    confidence."""

    def __post_init__(self) -> None:
        if self.alpha <= 0:
            raise UserError(
                f"ConfMatchingLoss: alpha={self.alpha} rewards no confidence. Give a positive one."
            )
        if not isinstance(self.matching.criterion, InfoNCE):
            raise UserError(
                "ConfMatchingLoss weighs losses, and only InfoNCE is one: average precision has no "
                "gradient. Put InfoNCE inside."
            )
        if self.neg_conf_loss_quantile is not None and not 0 <= self.neg_conf_loss_quantile <= 1:
            raise UserError(
                f"ConfMatchingLoss: neg_conf_loss_quantile={self.neg_conf_loss_quantile} is not between 0 "
                "and 1."
            )

    def evaluate(self, batch: PairBatch, rng: np.random.Generator) -> LossValue:
        """Return the mean over all matched pixels of the batch, and that over the others when they count."""
        matches = match_losses(self.matching, batch, rng)
        corr = matches.correspondences
        conf_a, conf_b = (self._conf(view, xy) for view, xy in ((batch.a, corr.xy_a), (batch.b, corr.xy_b)))
        loss, sure_a, sure_b = matches.loss[corr.matched], conf_a[corr.matched], conf_b[corr.matched]
        conf = sure_a * sure_b if self.confmode == "prod" else (sure_a + sure_b) / 2
        value = mean(weighted(loss, conf, self.alpha))
        if self.neg_conf_loss_quantile is not None and loss.numel():
            # Detached: pixels without a match must not make matches worse in order to become cheaper.
            price = loss.detach().quantile(self.neg_conf_loss_quantile)
            value = value + mean(
                weighted(price, torch.cat([conf_a[~corr.matched], conf_b[~corr.matched]]), self.alpha)
            )
        details = {
            "matching_conf_loss": float(value.detach()),
            "Conf1_std": _std(conf_a),
            "Conf2_std": _std(conf_b),
        }
        return LossValue(value, {**details, **matches.details})

    def _conf(self, view: HeadOutput, xy: Tensor) -> Tensor:
        conf = view.conf if self.matching.use_pts3d else view.desc_conf
        return at_pixels(required(conf, "confidences of descriptors", "ConfMatchingLoss"), xy)


@dataclass(frozen=True, slots=True)
class MatchLosses:
    """The criterion's number for every correspondence, matched or not."""

    loss: Tensor  # (B, N)
    correspondences: Correspondences
    """In the order of the losses: shuffled when they were compared in blocks."""
    details: Mapping[str, float]


def match_losses(matching: MatchingLoss, batch: PairBatch, rng: np.random.Generator) -> MatchLosses:
    """Return the criterion's number for every correspondence."""
    corr = required(batch.correspondences, "correspondences", "MatchingLoss")
    map_a, map_b = (_compared(matching, view) for view in (batch.a, batch.b))
    size, block = corr.matched.shape[1], matching.blocksize
    blocked = block is not None and size > block
    if blocked:
        corr = shuffled(corr, rng)
    desc_a, desc_b = at_pixels(map_a, corr.xy_a), at_pixels(map_b, corr.xy_b)
    if blocked:
        if size % block:
            raise UserError(
                f"MatchingLoss: {size} correspondences do not fall into blocks of {block}. Sample a "
                "multiple of it, or change blocksize."
            )
        desc_a, desc_b = (desc.reshape(-1, block, desc.shape[-1]) for desc in (desc_a, desc_b))
    elif matching.negatives_padding:
        desc_b = torch.cat([desc_b, unused_pixels(map_b, corr.xy_b, matching.negatives_padding)], 1)
    loss = matching.criterion.per_match(_similarity(matching, desc_a, desc_b)).reshape(corr.matched.shape)
    return MatchLosses(loss, corr, {"MatchingLoss": float(mean(loss.detach()[corr.matched]))})


def shuffled(correspondences: Correspondences, rng: np.random.Generator) -> Correspondences:
    """Return every sample's correspondences in an order of its own, drawn sample by sample."""
    batch_size, size = correspondences.matched.shape
    device = correspondences.matched.device
    order = torch.from_numpy(np.stack([rng.permutation(size) for _ in range(batch_size)])).to(device)
    sample = torch.arange(batch_size, device=device)[:, None]
    return Correspondences(
        correspondences.xy_a[sample, order],
        correspondences.xy_b[sample, order],
        correspondences.matched[sample, order],
    )


def at_pixels(values: Tensor, xy: Tensor) -> Tensor:
    """Return the values (B, N, ...) of maps (B, H, W, ...) at pixels (B, N, 2)."""
    sample = torch.arange(len(values), device=values.device)[:, None]
    return values[sample, xy[..., 1], xy[..., 0]]


def unused_pixels(values: Tensor, xy: Tensor, count: int) -> Tensor:
    """Return the values (B, count, D) of maps (B, H, W, D) at the first pixels, row by row, that are not in
    xy (B, N, 2).

    Images with fewer such pixels bound the number for the whole batch.
    """
    height, width = values.shape[1:3]
    used = torch.zeros(len(values), height * width, dtype=torch.bool, device=values.device)
    used.scatter_(1, xy[..., 1] * width + xy[..., 0], True)
    count = min(count, int((~used).sum(1).min()))
    first = used.byte().argsort(dim=1, stable=True)[:, :count]  # the unused ones come first, in their order
    sample = torch.arange(len(values), device=values.device)[:, None]
    return values.flatten(1, 2)[sample, first]


def _compared(matching: MatchingLoss, view: HeadOutput) -> Tensor:
    """Return the map (B, H, W, D) whose pixels are compared."""
    return view.points if matching.use_pts3d else required(view.desc, "descriptors", "MatchingLoss")


def _similarity(matching: MatchingLoss, desc_a: Tensor, desc_b: Tensor) -> Tensor:
    """Return the similarity (B, N, M) of everything in a with everything in b."""
    a, b = desc_a.to(matching.criterion.dtype), desc_b.to(matching.criterion.dtype)
    if not matching.use_pts3d:
        return torch.einsum("bnd,bmd->bnm", a, b)
    return 1 / (1 + torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist"))


def _std(conf: Tensor) -> float:
    """Return the standard deviation; that of fewer than two is 0."""
    return float(conf.detach().std()) if conf.numel() > 1 else 0.0
