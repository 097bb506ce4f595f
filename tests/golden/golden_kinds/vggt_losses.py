"""The training losses of VGGT: values, details, and gradients with respect to the predictions."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from golden_case import Case
from torch import Tensor

from golden_kinds import vggt_check
from pairs.networks.vggt.network import Dense
from pairs.networks.vggt.tracker import Tracks
from pairs.train.vggt_gradients import (
    MOST,
    DifferenceTerm,
    NormalTerm,
    difference_loss,
    nearest_rank,
    normal_loss,
    normals,
    without_outliers,
)
from pairs.train.vggt_losses import CameraLoss, DenseLoss, TrackLoss, TrackTruth
from pairs.train.vggt_scene import SceneTruth, mean_distance, normalised_scene, rebased

FAMILY = "vggt"
check = vggt_check.check


def _one(details: Mapping[str, float]) -> dict[str, Tensor]:
    return {name: torch.tensor([value]) for name, value in details.items()}


def _truth(case: Case) -> SceneTruth:
    """Return the truth of a case; what the case leaves out is made up."""
    data = case.inputs
    valid = data["point_masks"]
    scenes = valid.shape[:2]
    K = data.get("intrinsics", torch.eye(3).expand(*scenes, 3, 3))
    points = data.get("world_points", torch.zeros(*valid.shape, 3))
    return SceneTruth(data["extrinsics"], K, points, data.get("depths", torch.zeros(valid.shape)), valid)


def scene_normalisation(case: Case) -> dict[str, Tensor]:
    truth = _truth(case)
    plain, whole = rebased(truth), normalised_scene(truth)
    scale = mean_distance(plain)[:, None, None, None, None]
    return {
        "extrinsics": whole.cam_from_world,
        "cam_points": case.inputs["cam_points"] / scale,
        "world_points": whole.world_points,
        "depths": whole.depth,
        "extrinsics_noscale": plain.cam_from_world,
        "world_points_noscale": plain.world_points,
    }


def loss_camera(case: Case) -> dict[str, Tensor]:
    config = case.description["config"]
    names = sorted(name for name in case.inputs if name.startswith("pred_"))
    encodings = [case.inputs[name].clone().requires_grad_() for name in names]
    loss = CameraLoss(
        config["loss_type"],
        config["gamma"],
        config["weight_trans"],
        config["weight_rot"],
        config["weight_focal"],
    )
    found = loss.evaluate(encodings, _truth(case))
    found.value.backward()
    return _one(found.details) | {
        f"grad_{name}": encoding.grad for name, encoding in zip(names, encodings) if encoding.grad is not None
    }


def _term(name: str) -> DifferenceTerm | NormalTerm:
    return (
        NormalTerm(weighted="conf" in name) if "normal" in name else DifferenceTerm(weighted="conf" in name)
    )


def loss_dense(case: Case) -> dict[str, Tensor]:
    config, name = case.description["config"], case.kind.removeprefix("loss_")
    predicted, conf = (case.inputs[key].clone().requires_grad_() for key in ("pred", "conf"))
    true = case.inputs["gt"][..., None] if name == "depth" else case.inputs["gt"]
    share = config["valid_range"] if config["valid_range"] > 0 else None
    loss = DenseLoss(
        "depth" if name == "depth" else "point",
        _term(config["gradient_loss_fn"]),
        share,
        config["gamma"],
        config["alpha"],
    )
    found = loss.evaluate(Dense(predicted, conf), true, case.inputs["mask"])
    found.value.backward()
    return _one(found.details) | {
        "total": found.value[None],
        "grad_pred": predicted.grad,
        "grad_conf": conf.grad,
    }


def loss_track(case: Case) -> dict[str, Tensor]:
    config, data = case.description["config"], case.inputs
    names = sorted(name for name in data if name.startswith("pred_"))
    leaves = {name: data[name].clone().requires_grad_() for name in (*names, "vis_logits", "conf_logits")}
    tracks = Tracks(tuple(leaves[name] for name in names), leaves["vis_logits"], leaves["conf_logits"])
    loss = TrackLoss(config["gamma"], config["conf_radius_px"])
    found = loss.evaluate(tracks, TrackTruth(data["gt_tracks"], data["gt_visible"]))
    found.value.backward()
    grads = {f"grad_{name.removesuffix('_logits')}": leaf.grad for name, leaf in leaves.items()}
    return _one(found.details) | grads


def loss_gradient_terms(case: Case) -> dict[str, Tensor]:
    true, valid, conf = (case.inputs[name] for name in ("gt", "mask", "conf"))
    found = {}
    for name, function in (("gradient", difference_loss), ("normal", normal_loss)):
        for how, weight in (("plain", None), ("conf", conf)):
            predicted = case.inputs["pred"].clone().requires_grad_()
            loss = function(predicted, true, valid, weight)
            loss.backward()
            found |= {f"{name}_{how}": loss[None], f"grad_{name}_{how}": predicted.grad}
    config, predicted = case.description["config"], case.inputs["pred"]
    found["gradient_multiscale"] = DifferenceTerm(config["gradient_scales"]).evaluate(
        predicted, true, valid, conf
    )[None]
    found["normal_multiscale"] = NormalTerm(config["normal_scales"]).evaluate(predicted, true, valid, conf)[
        None
    ]
    found["normals"], found["normals_valid"] = normals(true, valid)
    return found


def loss_quantile(case: Case) -> dict[str, Tensor]:
    values, found = case.inputs["values"], {}
    for share in (0.98, 0.9, 0.5):
        kept = without_outliers(values, share)
        found |= {f"kept_{share}": torch.tensor([len(kept)]), f"mean_{share}": kept.mean()[None]}
        found[f"threshold_{share}"] = nearest_rank(values, share)[None].clamp(
            max=MOST if len(values) > 1000 else torch.inf
        )
    return found


HANDLERS = {
    "scene_normalisation": scene_normalisation,
    "loss_camera": loss_camera,
    "loss_depth": loss_dense,
    "loss_point": loss_dense,
    "loss_track": loss_track,
    "loss_gradient_terms": loss_gradient_terms,
    "loss_quantile": loss_quantile,
}
