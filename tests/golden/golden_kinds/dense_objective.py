"""The dense aligner's parametrisation, losses and descent (arXiv:2312.14132, section 3.3)."""

from __future__ import annotations

from dataclasses import replace

import torch
from dense_scene import dense_options, named_parameters, stored_parameters, stored_problem
from golden_case import Case
from torch import Tensor

from align.dense.descent import descend
from align.dense.objective import loss, loss_and_gradient, pair_means, side_sums
from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import (
    adaptor_factors,
    intrinsics,
    pair_pose_values,
    pair_scales,
    pair_similarities,
    pose_values,
    random_parameters,
    signed_expm1,
    signed_log1p,
    view_poses,
)
from align.dense.problem import DenseProblem, DirectedPair
from align.dense.terms import CONF_TRANSFORMS, gather_terms
from align.pinhole import backproject
from align.solver.adam import learning_rate
from golden_kinds.dense_check import check

__all__ = ["FAMILY", "HANDLERS", "check"]

FAMILY = "dense"
_FROZEN = {
    "im_poses": "poses",
    "im_focals": "focals",
    "im_pp": "principal_points",
    "im_depthmaps": "log_depth",
}


def conf_transform(case: Case) -> dict[str, Tensor]:
    return {name: CONF_TRANSFORMS[name](case.inputs["x"]) for name in case.outputs}


def signed_log(case: Case) -> dict[str, Tensor]:
    x = case.inputs["x"]
    return {"log1p": signed_log1p(x), "expm1": signed_expm1(x)}


def schedule(case: Case) -> dict[str, Tensor]:
    rate, least = case.options["lr"], case.options["lr_min"]
    shares = case.inputs["t"].tolist()
    return {
        name: torch.tensor([learning_rate(name, rate, least, t) for t in shares], dtype=torch.float64)
        for name in case.outputs
    }


def distance(case: Case) -> dict[str, Tensor]:
    """Ask pixel by pixel: a problem of one pixel, whose camera and prediction lie at the two points."""
    a, b, weight = (case.inputs[name] for name in ("a", "b", "weight"))
    return {
        name: torch.stack(
            [
                _one_pixel(*points, DenseOptions(distance=name, conf_transform="id"))
                for points in zip(a.reshape(-1, 3), b.reshape(-1, 3), weight.reshape(-1))
            ]
        ).reshape(weight.shape)
        for name in case.outputs
    }


def _one_pixel(seen: Tensor, predicted: Tensor, weight: Tensor, options: DenseOptions) -> Tensor:
    """Return the distance of two points as a loss: the camera looks along z, at depth 1, from `seen` less
    (0, 0, 1).
    """
    empty = torch.zeros(1, 1).double()
    pair = DirectedPair(predicted.expand(1, 1, 3), torch.zeros(1, 1, 3).double(), weight.expand(1, 1), empty)
    problem = DenseProblem(((1, 1), (1, 1)), ((0, 1),), [pair])
    forward = torch.tensor([0.0, 0, 1]).double()
    R = torch.eye(3).double()[None]
    centre = (seen - forward)[None]
    parameters = DenseParameters(
        pair_pose_values(R, torch.zeros(1, 3).double(), torch.ones(1).double()),
        torch.zeros(1, 2).double(),
        (empty, empty),
        pose_values(R, centre).expand(2, 7),
        torch.zeros(2, 1).double(),
        # The only pixel lies half a pixel from the published middle.
        torch.full((2, 2), -0.05, dtype=torch.float64),
    )
    terms = gather_terms(problem, options, torch.float64)
    return side_sums(terms, parameters, Frozen(poses=frozenset({0, 1})))[0, 0]


def pose_param(case: Case) -> dict[str, Tensor]:
    stored = case.inputs
    options = dense_options(case.options)
    return {
        "poses": view_poses(stored["poses"]),
        "pw_poses": pair_similarities(stored["pw_poses"], options, normalised=True),
        "pw_scale": pair_scales(stored["pw_poses"], options, normalised=True),
        "pw_poses_unnormalised": pair_similarities(stored["pw_poses"], options, normalised=False),
        "adaptors": adaptor_factors(stored["pw_adaptors"], options, normalised=True),
        "adaptors_unnormalised": adaptor_factors(stored["pw_adaptors"], options, normalised=False),
        "set_pairwise": pair_pose_values(stored["R"], stored["T"], stored["scale"]),
        "set_image": pose_values(stored["R"], stored["T"]),
    }


def rand_init(case: Case) -> dict[str, Tensor]:
    problem, options = stored_problem(case), dense_options(case.options)
    parameters = random_parameters(problem.sizes, len(problem.edges), options)
    terms = gather_terms(problem, options, torch.float32)
    value = torch.tensor(loss(terms, parameters, Frozen()))
    return {**named_parameters(parameters), "loss": value}


def loss_kind(case: Case) -> dict[str, Tensor]:
    """Return the loss in both precisions, and everything else in double."""
    problem, options, stood = stored_problem(case), dense_options(case.options), _frozen(case)
    # These cases freeze poses without knowing them: the scale stays normalised, as if all were free.
    frozen = replace(stood, poses=frozenset())
    double, single = (
        (gather_terms(problem, options, dtype), stored_parameters(case.inputs, dtype))
        for dtype in (torch.float64, torch.float32)
    )
    terms, parameters = double
    value, gradient = loss_and_gradient(terms, parameters, frozen)
    gradient.poses[sorted(stood.poses)] = 0
    K = intrinsics(parameters, problem.sizes, options)
    world_from_cam = view_poses(parameters.poses)
    return {
        "loss": torch.tensor(value, dtype=torch.float64),
        "loss_f32": torch.tensor(loss(*single, frozen), dtype=torch.float64),
        **named_parameters(gradient, "grad."),
        "pts3d.0": backproject(parameters.log_depth[0].exp(), K[0], world_from_cam[0]),
        "intrinsics": K,
        "details": pair_means(terms, side_sums(terms, parameters, frozen)),
    }


def trajectory(case: Case) -> dict[str, Tensor]:
    problem, options = stored_problem(case), dense_options(case.options)
    terms = gather_terms(problem, options, torch.float64)
    descent = descend(terms, stored_parameters(case.inputs, torch.float64), Frozen())
    single = descend(
        gather_terms(problem, options, torch.float32),
        stored_parameters(case.inputs, torch.float32),
        Frozen(),
    )
    return {
        "losses": descent.losses,
        "lr": descent.rates,
        "loss_after": torch.tensor(loss(terms, descent.parameters, Frozen()), dtype=torch.float64),
        "losses_f32": single.losses,
        **named_parameters(descent.parameters, "final."),
    }


def _frozen(case: Case) -> Frozen:
    stored = case.options.get("frozen", {})
    return Frozen(**{ours: frozenset(stored.get(theirs, ())) for theirs, ours in _FROZEN.items()})


HANDLERS = {
    "conf_transform": conf_transform,
    "signed_log": signed_log,
    "schedule": schedule,
    "distance": distance,
    "pose_param": pose_param,
    "rand_init": rand_init,
    "loss": loss_kind,
    "modular": loss_kind,
    "trajectory": trajectory,
}
