"""What is done with views once they are placed, and geometry (arXiv:2312.14132, section 3)."""

from __future__ import annotations

from typing import get_args

import numpy as np
import torch
from golden_case import Case
from torch import Tensor

from align.depth_maps.clean import CleanOptions, clean
from align.depth_maps.dense_view import DenseView
from align.depth_maps.sky import sky_pixels
from align.measurements.focal import weiszfeld_scale
from align.pinhole import backproject, in_camera, pixel_grid, project, rays
from golden_kinds.dense_check import check
from pairs.train.normalisation import Clouds, NormMode, divided, masked_median, normalised, spread

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


def geometry(case: Case) -> dict[str, Tensor]:
    parts = {"transform": _transform, "backprojection": _backprojection, "pointclouds": _pointclouds}
    return parts[case.description["name"]](case.inputs)


def _transform(data: dict[str, Tensor]) -> dict[str, Tensor]:
    affine = in_camera(data["p"], data["A4"])
    in_pixels = in_camera(data["pz"], _affine(data["K"]))
    flat = torch.cat([data["p2"], torch.ones_like(data["p2"][:, :1])], 1)
    ahead = in_camera(flat, _affine(data["H3"]))
    return {
        "affine": affine,
        "first_two": affine[..., :2],
        "linear3": in_camera(data["p"], _affine(data["H3"])),
        "homography": ahead[:, :2] / ahead[:, 2:],
        "project": project(data["pz"], data["K"].expand(len(data["pz"]), 3, 3)),
        "project_norm2": 2 * in_pixels / in_pixels[:, 2:],
        "batch_lists": torch.stack([in_camera(points, T) for points, T in zip(data["pl"], data["B4"])]),
        "batch_maps": torch.stack([in_camera(points, T) for points, T in zip(data["pb"], data["B4"])]),
    }


def _affine(matrix: Tensor) -> Tensor:
    return torch.block_diag(matrix, torch.ones_like(matrix[:1, :1]))


def _backprojection(data: dict[str, Tensor]) -> dict[str, Tensor]:
    nowhere = torch.eye(4)
    (height, width), depths, focals = data["depth"].shape, data["depth_b"], data["focal_b"]
    xy = pixel_grid(height, width, depths).reshape(height, width, 2)
    # Without a principal point the reference takes the middle of the pixels here, and only here.
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2]).expand(len(depths), 2)
    batch = {
        name: rays(xy, focals.movedim(1, -1), points[:, None, None]) * depths[..., None]
        for name, points in (("batch", data["pp_b"]), ("batch_default_pp", middle))
    }
    return {
        **batch,
        "cam": backproject(data["depth"], data["K"], nowhere),
        "world": backproject(data["depth"], data["K"], data["pose"]),
        "valid": data["depth"] > 0,
    }


def _pointclouds(data: dict[str, Tensor]) -> dict[str, Tensor]:
    clouds = (data["pts1"], data["pts2"])
    valid = (data["valid1"] > 0, data["valid2"] > 0)
    everywhere = (torch.ones_like(valid[0]), torch.ones_like(valid[1]))
    result = {}
    for mode in get_args(NormMode):
        for name, masks in (("all", everywhere), ("masked", valid)):
            found, size = normalised(clouds, masks, mode)
            if name == "all" and mode.startswith("avg"):
                found, size = divided(found, torch.full_like(size, 1 / 3)), size / 3
            if "warp" in mode:
                # The reference sets points outside the mask to 0 while it warps.
                found = tuple(torch.where(m[..., None], p, 0) for m, p in zip(masks, found))
            result |= {f"{mode}.{name}.pts{k + 1}": points for k, points in enumerate(found)}
            result[f"{mode}.{name}.factor"] = size.reshape(-1, 1, 1, 1)
    nothing = (clouds[0][:, :0], valid[0][:, :0])
    (single, _), _ = normalised((clouds[0], nothing[0]), (valid[0], nothing[1]), "avg_dis")
    result["avg_dis.single.pts1"] = single
    return result | _middles(clouds, valid) | _scalings(clouds, valid)


def _middles(clouds: Clouds, valid: Clouds) -> dict[str, Tensor]:
    points = torch.cat([each.flatten(1, 2) for each in clouds], 1)
    mask = torch.cat([each.flatten(1) for each in valid], 1)
    centre = torch.stack([masked_median(points[..., axis], mask, 0.0) for axis in range(3)], -1)
    depth = torch.where(mask, points[..., 2], torch.nan)
    return {
        "joint_depth": masked_median(points[..., 2], mask, 0.0),
        "joint_depth_q30": depth.nanquantile(0.3, dim=1),
        "center": centre[:, None, None],
        "center_z": (centre * torch.tensor([0, 0, 1]))[:, None, None],
        "scale": spread(clouds, valid).reshape(-1, 1, 1, 1),
        "scale_uncentered": masked_median(points.norm(dim=-1), mask, 1.0).reshape(-1, 1, 1, 1),
    }


def _scalings(truth: Clouds, valid: Clouds) -> dict[str, Tensor]:
    predicted = (1.3 * truth[0] + 0.05 * truth[1], 0.9 * truth[1])
    rows = []
    for k in range(len(truth[0])):
        t, p = (
            torch.cat([side[k][mask[k]] for side, mask in zip(clouds, valid)])
            for clouds in (truth, predicted)
        )
        along, square = (t * p).sum(-1), (t * t).sum(-1)
        robust = weiszfeld_scale(t[None], p[None])[0]
        rows.append((along.mean() / square.mean(), (along / square).median(), robust, robust))
    names = ("avg", "median", "weiszfeld", "weiszfeld_stop_grad")
    return {f"opt_scaling.{name}": torch.stack(column) for name, column in zip(names, zip(*rows))}


HANDLERS = {"clean": clean_kind, "sky": sky, "geometry": geometry}
