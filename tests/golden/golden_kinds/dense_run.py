"""The dense aligner from start to end (arXiv:2312.14132, section 3.3)."""

from __future__ import annotations

import torch
from dense_scene import dense_options, stored_presets, stored_problem
from golden_case import Case
from torch import Tensor

from align.dense.descent import descend
from align.dense.initial.known_poses import start_from_known_poses
from align.dense.initial.presets import with_presets
from align.dense.initial.start import start_from_tree
from align.dense.objective import loss
from align.dense.poses import focals, pair_scales, random_parameters, scale_is_normalised, view_poses
from align.dense.problem import view_confidences
from align.dense.terms import gather_terms
from golden_kinds.dense_check import check

__all__ = ["FAMILY", "HANDLERS", "check"]

FAMILY = "dense"
_STARTS = {"mst": start_from_tree, "msp": start_from_tree, "known_poses": start_from_known_poses}


def run(case: Case) -> dict[str, Tensor]:
    problem, options = stored_problem(case), dense_options(case.options)
    presets = stored_presets(case, problem)
    given = with_presets(
        random_parameters(problem.sizes, len(problem.edges), options), presets, problem, options
    )
    frozen = presets.frozen
    start = (
        _STARTS[init](problem, options, given, frozen).parameters
        if (init := case.options.get("init")) in _STARTS
        else given
    )
    terms = gather_terms(problem, options, torch.float32)
    descent = descend(terms, start, frozen)
    end = descent.parameters
    confident = [int((conf > options.min_conf).sum()) for conf in view_confidences(problem)]
    return {
        "loss_returned": torch.tensor(descent.last_loss, dtype=torch.float64),
        "loss": torch.tensor(loss(terms, end, frozen), dtype=torch.float64),
        "im_poses": view_poses(end.poses),
        "focals": focals(end.log_focals, options),
        "pw_scale": pair_scales(end.pair_poses, options, scale_is_normalised(frozen)),
        "masks_count": torch.tensor(confident),
    } | {f"depth.{view}": depth.exp() for view, depth in enumerate(end.log_depth)}


HANDLERS = {"run": run}
