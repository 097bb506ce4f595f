"""The training losses of the pair networks: values, details, and gradients with respect to the
predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from golden_case import Case, under
from torch import Tensor

from golden_kinds import network_check
from pairs.networks.dust3r.heads import HeadOutput
from pairs.train.batch import Correspondences, PairBatch, PairTruth, ViewTruth
from pairs.train.expression import parse_loss
from pairs.train.regression import pixel_losses

FAMILY = "network"
check = network_check.check


def _output(pred: Mapping[str, Tensor]) -> HeadOutput:
    """Return the stored output; points and confidences that no loss of the case looks at are made up."""
    points = pred["pts3d"] if "pts3d" in pred else pred.get("pts3d_in_other_view")
    if points is None:
        points = torch.zeros(*pred["desc"].shape[:3], 3)
    return HeadOutput(
        points, pred.get("conf", torch.ones(points.shape[:3])), pred.get("desc"), pred.get("desc_conf")
    )


def _truth(gt: Mapping[str, Tensor]) -> ViewTruth:
    return ViewTruth(gt["camera_pose"], gt["pts3d"], gt["valid_mask"], gt.get("sky_mask"))


def _batch(case: Case, predictions: Mapping[str, Tensor]) -> PairBatch:
    gt1, gt2 = under(case.inputs, "gt1."), under(case.inputs, "gt2.")
    truth = PairTruth(_truth(gt1), _truth(gt2), gt1["is_metric_scale"]) if "pts3d" in gt1 else None
    corr = Correspondences(gt1["corres"], gt2["corres"], gt1["valid_corres"]) if "corres" in gt1 else None
    return PairBatch(
        _output(under(predictions, "pred1.")), _output(under(predictions, "pred2.")), truth, corr
    )


def loss(case: Case) -> dict[str, Tensor]:
    predictions = {
        name: value.clone().requires_grad_() for name, value in case.inputs.items() if name.startswith("pred")
    }
    batch = _batch(case, predictions)
    text, per_pixel, _ = case.options["expression"].partition(".with_reduction('none')")
    objective = parse_loss(text, case.options["family"])
    if case.options["call_kwargs"]:
        objective = replace(objective, **case.options["call_kwargs"])
    if per_pixel:
        pixels = pixel_losses(objective, batch)
        total, details = pixels.a.sum() + pixels.b.sum(), pixels.details
        found = {
            "pixel_loss1": pixels.a,
            "mask1": pixels.mask_a,
            "pixel_loss2": pixels.b,
            "mask2": pixels.mask_b,
        }
    else:
        # The stored shuffles come from NumPy's legacy generator; its permutations are what the published code
        # draws.
        result = objective.evaluate(batch, np.random.RandomState(case.options["numpy_global_seed"]))
        total, details = result.value, result.details
        found = {"loss": total}
    found |= {f"details.{name}": torch.tensor(value, dtype=torch.float64) for name, value in details.items()}
    if case.options["has_gradient"]:
        total.backward()
        found |= {f"grad.{name}": value.grad for name, value in predictions.items() if value.grad is not None}
    return found


HANDLERS = {"loss_regr3d": loss, "loss_conf": loss, "loss_infonce": loss, "loss_ap": loss}
