"""How far predicted points are from the true ones: Regr3D of both papers
(docs/training.md, "Regression of points").

MASt3R's loss contains DUSt3R's: without metric samples, sky and logarithms they are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from masks.errors import UserError
from pairs.train.batch import PairBatch, PairTruth, ViewTruth, required
from pairs.train.loss import LossValue, mean
from pairs.train.normalisation import (
    Clouds,
    NormMode,
    depth_centred,
    divided,
    log_warped,
    normalised,
    rescaled,
)

Free = Literal["nothing", "shift", "scale", "scale and shift"]
"""What of the predicted cloud does not count beyond the normalisation: its median depth, its spread."""

CLASS_NAMES: Mapping[Free, str] = {
    "nothing": "Regr3D",
    "shift": "Regr3D_ShiftInv",
    "scale": "Regr3D_ScaleInv",
    "scale and shift": "Regr3D_ScaleShiftInv",
}
"""Published names of the variants."""


@dataclass(frozen=True, slots=True)
class Regr3D:
    """Euclidean distance of predicted to true points, both in a's camera frame, averaged over the valid
    pixels of each view.
    """

    norm_mode: NormMode | None = "avg_dis"
    """What is divided out of the prediction, and of the truth; nothing when none."""
    keep_metric: bool = False
    """Whether metric samples are spared: their prediction is measured in metres (the published `?` before the
    mode)."""
    gt_scale: bool = False
    """Whether the truth keeps its size."""
    max_metric_scale: float | None = None
    """Metric samples with a valid point at least so far from camera a are normalised all the same,
    in metres."""
    dist_clip: float | None = None
    """Pixels farther than it from camera a do not count, in units of the world."""
    sky_loss_value: float = 0.0
    """Loss of a sky pixel, whatever is predicted there; for losses per pixel. At 0 sky pixels do not
    count."""
    log: Literal["never", "before", "after"] = "never"
    """Whether distances to camera a are made logarithmic: those of the truth before the normalisation, or
    both after it."""
    free: Free = "nothing"

    def __post_init__(self) -> None:
        if self.max_metric_scale is not None and not (self.keep_metric and self.norm_mode):
            raise UserError(
                "Regr3D: max_metric_scale needs a norm_mode beginning with '?', as in "
                "norm_mode='?avg_dis'. Add the mark or drop the limit."
            )

    def evaluate(self, batch: PairBatch, rng: np.random.Generator) -> LossValue:
        """Return the sum of both views' means; a view without valid pixels adds 0. Raises `UserError` when
        sky counts.
        """
        if self.sky_loss_value > 0:
            raise UserError(
                "Regr3D: sky has a loss per pixel only. Put the loss inside ConfLoss, or set "
                "sky_loss_value=0."
            )
        pixels = pixel_losses(self, batch)
        return LossValue(mean(pixels.a) + mean(pixels.b), pixels.details)


@dataclass(frozen=True, slots=True)
class PixelLosses:
    """Losses of the pixels that count."""

    a: Tensor  # (P,), in the order of the mask
    mask_a: Tensor  # (B, H, W) bool
    b: Tensor  # (Q,)
    mask_b: Tensor  # (B, H, W) bool
    details: Mapping[str, float]
    """Mean of each view."""


def pixel_losses(regression: Regr3D, batch: PairBatch) -> PixelLosses:
    """Return the loss of every pixel that counts: valid ones, and sky when it has a loss."""
    name = CLASS_NAMES[regression.free]
    truth = required(batch.truth, "the true geometry", name)
    predicted, true, valid = compared_clouds(regression, batch)
    losses, masks = [], []
    for k, view in enumerate((truth.a, truth.b)):
        loss, mask = (predicted[k] - true[k]).norm(dim=-1), valid[k]
        if regression.sky_loss_value > 0 and view.sky is not None:
            sky = view.sky & ~mask
            loss, mask = torch.where(sky, regression.sky_loss_value, loss), mask | sky
        losses.append(loss[mask])
        masks.append(mask)
    details = {f"{name}_pts3d_{k + 1}": float(mean(loss.detach())) for k, loss in enumerate(losses)}
    return PixelLosses(losses[0], masks[0], losses[1], masks[1], details)


def compared_clouds(regression: Regr3D, batch: PairBatch) -> tuple[Clouds, Clouds, Clouds]:
    """Return predicted points, true points (both normalised, in a's frame) and valid masks, of both views."""
    name = CLASS_NAMES[regression.free]
    truth = required(batch.truth, "the true geometry", name)
    predicted = (batch.a.points, batch.b.points)
    true, valid = _in_camera_a(truth, regression.dist_clip)
    metric = _metric(regression, truth, true, valid)
    if regression.log == "before":
        true = (log_warped(true[0]), log_warped(true[1]))
    if regression.norm_mode is not None:
        predicted, true = _normalise(
            regression.norm_mode, predicted, true, valid, metric, regression.gt_scale
        )
    if regression.log == "after":
        predicted = (log_warped(predicted[0]), log_warped(predicted[1]))
        true = (log_warped(true[0]), log_warped(true[1]))
    if regression.free in ("shift", "scale and shift"):
        predicted, true = depth_centred(predicted, valid), depth_centred(true, valid)
    if regression.free in ("scale", "scale and shift"):
        predicted, true = rescaled(predicted, true, valid, regression.gt_scale)
    return predicted, true, valid


def _in_camera_a(truth: PairTruth, dist_clip: float | None) -> tuple[Clouds, Clouds]:
    """Return the true points in a's camera frame, zero where not valid, and the valid masks."""
    a_from_world = _inverse(truth.a.world_from_cam)
    points, masks = zip(*(_moved(a_from_world, view, dist_clip) for view in (truth.a, truth.b)), strict=True)
    return (points[0], points[1]), (masks[0], masks[1])


def _moved(a_from_world: Tensor, view: ViewTruth, dist_clip: float | None) -> tuple[Tensor, Tensor]:
    # Invalid points may be infinite or no number at all, and would spread through sums and gradients.
    world = torch.where(view.valid[..., None], view.points, 0)
    points = (
        torch.einsum("bij,bhwj->bhwi", a_from_world[:, :3, :3], world) + a_from_world[:, None, None, :3, 3]
    )
    valid = view.valid if dist_clip is None else view.valid & (points.norm(dim=-1) <= dist_clip)
    return torch.where(valid[..., None], points, 0), valid


def _inverse(rigid: Tensor) -> Tensor:
    """Return the inverse of rigid motions (B, 4, 4)."""
    inverse = rigid.clone()
    inverse[:, :3, :3] = rigid[:, :3, :3].mT
    inverse[:, :3, 3] = -torch.einsum("bji,bj->bi", rigid[:, :3, :3], rigid[:, :3, 3])
    return inverse


def _metric(regression: Regr3D, truth: PairTruth, true: Clouds, valid: Clouds) -> Tensor:
    """Return the samples (B,) that keep their metres."""
    if not regression.keep_metric:
        return torch.zeros(len(true[0]), dtype=torch.bool, device=true[0].device)
    metric = required(truth.metric, "the marks of metric samples", CLASS_NAMES[regression.free])
    if regression.max_metric_scale is not None:
        for points, mask in zip(true, valid, strict=True):
            farthest = torch.where(mask, points.norm(dim=-1), 0).flatten(1).amax(1)
            metric = metric & (farthest < regression.max_metric_scale)
    return metric


def _normalise(
    mode: NormMode, predicted: Clouds, true: Clouds, valid: Clouds, metric: Tensor, gt_scale: bool
) -> tuple[Clouds, Clouds]:
    """Return predicted and true points divided by their sizes.

    Metric predictions are never divided by their own size: by that of the truth when it is divided, else by
    nothing.
    """
    own, _ = normalised(predicted, valid, mode)
    # A metric prediction must answer for its metres: divided by its own size it could not be wrong in scale.
    kept = predicted
    if not gt_scale:
        true, size = normalised(true, valid, mode)
        kept = divided(predicted, size)
    spared = metric[:, None, None, None]
    return (torch.where(spared, kept[0], own[0]), torch.where(spared, kept[1], own[1])), true


@dataclass(frozen=True, slots=True)
class ConfLoss:
    """Pixel losses times the predicted confidence, with a reward `alpha log(conf)` for being sure."""

    pixel_loss: Regr3D
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if self.alpha <= 0:
            raise UserError(
                f"ConfLoss: alpha={self.alpha} rewards no confidence, so that it would fall to its least "
                "value. Give a positive one."
            )

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
