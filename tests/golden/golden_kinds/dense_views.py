"""What is done with views once they are placed, and geometry (arXiv:2312.14132, section 3)."""

from __future__ import annotations

import numpy as np
import torch
from golden_case import Case
from torch import Tensor

from align.depth_maps.clean import CleanOptions, clean
from align.depth_maps.dense_view import DenseView
from align.depth_maps.sky import sky_pixels
from golden_kinds.dense_check import check

__all__ = ["FAMILY", "HANDLERS", "check"]

FAMILY = "dense"


def clean_kind(case: Case) -> dict[str, Tensor]:
    data, options = case.inputs, case.options
    views = [
        DenseView(data[f"pts3d.{k}"], data[f"depth.{k}"], data[f"conf.{k}"]) for k in range(len(data["K"]))
    ]
    names = {"tol": "tolerance", "bad_conf": "bad_conf"}
    given = CleanOptions(**{ours: options[theirs] for theirs, ours in names.items() if theirs in options})
    cleaned = clean(views, data["K"], data["world2cam"], given)
    return {f"conf.{k}": view.conf for k, view in enumerate(cleaned)}


def sky(case: Case) -> dict[str, Tensor]:
    rgb = case.inputs["rgb"].numpy()
    image = (255 * rgb.clip(0, 1)).astype(np.uint8)
    return {"mask": torch.from_numpy(sky_pixels(image))}


HANDLERS = {"clean": clean_kind, "sky": sky}
