"""Images, pairs and windows around the dense aligner and localisation (arXiv:2312.14132, sections 3.3 and
3.4).
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from golden_case import Case, Comparison
from published_batches import collated, run_pairs
from torch import Tensor

from golden_kinds.dense_check import check
from masks.errors import GraphError
from masks.image_file import open_image, probe_image
from masks.pixelmap import turn_upright
from pairs.backends.dust3r.images import NetworkGrid, network_frame, network_map, normalised, photo_on_grid
from pairs.graph.reference_pairs import reference_pairs
from pairs.matching.crops import Crop, FullPhoto, facing_camera, facing_crop, plain_crop, warp_image
from pairs.matching.descriptor_map import DescriptorMap
from pairs.matching.fast_reciprocal import prepare_search, reciprocal_from_grid, reciprocal_from_seeds
from pairs.matching.from_pointmaps import mutual_nearest
from pairs.matching.merge import pixel_xy
from pairs.matching.standard_sizes import best_resolution, reduce_to, standard_resize
from pairs.matching.windows import (
    WindowOptions,
    choose_windows,
    fit_windows,
    greedy_choice,
    overlapping_grid,
    score_windows,
    start_positions,
)
from pairs.networks.dust3r.heads import HeadOutput

__all__ = ["FAMILY", "HANDLERS", "check"]

FAMILY = "dense"
_LANCZOS, _BICUBIC = 1, 3


def load_images(case: Case) -> dict[str, Tensor]:
    rows = []
    for w, h in case.inputs["sizes"].tolist():
        frame = network_frame((w, h), _grid(case))
        rows.append(
            [
                *frame.resized,
                *frame.box,
                *frame.size,
                _LANCZOS if max(w, h) > max(frame.resized) else _BICUBIC,
            ]
        )
    return {"out": torch.tensor(rows)}


def load_pixels(case: Case) -> dict[str, Tensor]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "photo.png"
        path.write_bytes(case.inputs["png_bytes"].numpy().tobytes())
        facts, picture = probe_image(path), open_image(path)
    pixel_map = network_map("photo.png", facts.size, facts.orientation, _grid(case))
    image = photo_on_grid(np.ascontiguousarray(turn_upright(picture.pixels, facts.orientation)), pixel_map)
    return {"img": normalised(image)[0], "true_shape": torch.tensor([image.shape[:2]])}


def _grid(case: Case) -> NetworkGrid:
    return NetworkGrid(case.options["size"], case.options["square_ok"], case.options["patch_size"])


def make_pairs(case: Case) -> Comparison:
    """Compare windowed lists, whose order is an accident of a hash set, half by half as sorted lists."""
    actual, expected = {}, {}
    for name, stored in case.outputs.items():
        num_views, text, prefilter, symmetrise = name.split("|")
        ordered = text.startswith(("complete", "oneref"))
        try:
            pairs = reference_pairs(text, int(num_views), symmetrise == "1", prefilter or None)
        except GraphError:
            # The dense reference makes no pairs of a text that it does not know; we say so instead.
            assert text == "nonsense"
            pairs = []
        listed = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
        halves = 1 + (symmetrise == "1")
        actual[name], expected[name] = (
            each if ordered else _sorted_parts(each, halves) for each in (listed, stored)
        )
    return Comparison(actual, expected)


def _sorted_parts(pairs: Tensor, parts: int) -> Tensor:
    return torch.tensor(
        [pair for part in pairs.chunk(parts) for pair in sorted(part.tolist())], dtype=torch.int64
    ).reshape(-1, 2)


def collate(case: Case) -> dict[str, Tensor]:
    images = [case.inputs[f"img.{k}"] for k in range(len(case.options["shapes"]))]
    pairs = reference_pairs("complete", len(images), symmetrize=True)
    found = {
        number: (first, second)
        for number, first, second in run_pairs(_formula, images, pairs, case.options["batch_size"])
    }
    firsts, seconds = ([found[k][side] for k in range(len(pairs))] for side in range(2))
    _require_structure(case.options["structure"], images, pairs, (firsts, seconds))
    result = {"edges": torch.tensor(pairs)}
    for k, (first, second) in enumerate(zip(firsts, seconds)):
        result |= {f"pts3d.{k}": first.points[0], f"conf2.{k}": second.conf[0]}
    return result


def _formula(first: Tensor, second: Tensor) -> tuple[HeadOutput, HeadOutput]:
    """Predict as the test network of these cases does."""
    one, two = 2 * first.mean(1), 2 * second.mean(1)
    points, points_of_other = (
        torch.stack([base + o for o in offsets], -1) for base, offsets in ((one, (0, 1, 2)), (two, (5, 6, 7)))
    )
    return HeadOutput(points, 1 + one.abs()), HeadOutput(points_of_other, 1 + (two + 9).abs())


def _require_structure(
    structure: dict[str, Any],
    images: list[Tensor],
    pairs: list[tuple[int, int]],
    outputs: tuple[list[HeadOutput], ...],
) -> None:
    """Require that our maps would be one tensor, or a list, where the reference's are, and of the same
    shapes.
    """
    for side in range(2):
        own = {
            f"view{side + 1}/img": [images[pair[side]] for pair in pairs],
            f"pred{side + 1}/{('pts3d', 'pts3d_in_other_view')[side]}": [
                output.points for output in outputs[side]
            ],
            f"pred{side + 1}/conf": [output.conf for output in outputs[side]],
        }
        for name, maps in own.items():
            part, field = name.split("/")
            kind, *described = structure[part][field]
            ours = collated(maps)
            if kind == "tensor":
                assert isinstance(ours, Tensor)
                assert described == ["float32", list(ours.shape)], name
            else:
                assert isinstance(ours, list)
                assert described == [
                    len(ours),
                    ["Tensor", "float32", *(list(each.shape) for each in ours)],
                ], name
        assert structure[f"view{side + 1}"]["idx"][2] == ["int", [pair[side] for pair in pairs]]


def c2f_starts(case: Case) -> dict[str, Tensor]:
    rows = case.inputs["query"].tolist()
    return {
        f"starts.{k}": torch.as_tensor(start_positions(int(total), int(window), overlap))
        for k, (total, window, overlap) in enumerate(rows)
    }


def c2f_grid(case: Case) -> dict[str, Tensor]:
    result = {}
    for k, (height, width, longest, overlap) in enumerate(case.inputs["query"].tolist()):
        size = (int(height), int(width))
        forced = best_resolution(size, int(longest))
        grid, free = overlapping_grid(size, int(longest), overlap), case.outputs[f"free_in.{k}"].numpy()
        made = {"grid": grid, "normed": fit_windows(grid, size), "forced": fit_windows(grid, size, forced)}
        made |= {
            "free_in": free,
            "free_out": fit_windows(free, size, forced),
            "free_normed": fit_windows(free, size),
        }
        result |= {f"{name}.{k}": torch.as_tensor(windows) for name, windows in made.items()}
    return result


def c2f_select(case: Case) -> dict[str, Tensor]:
    options = case.options
    sizes = (tuple(options["shape1"]), tuple(options["shape2"]))
    forced = (tuple(options["resolution1"]), tuple(options["resolution2"]))
    xy = (case.inputs["pos1"].numpy(), case.inputs["pos2"].numpy())
    chosen = choose_windows(xy, sizes, forced, WindowOptions(options["maxdim"], options["overlap"]))
    grid = fit_windows(overlapping_grid(sizes[0], options["maxdim"], options["overlap"]), sizes[0], forced[0])
    forward = score_windows(grid, *xy, sizes[1], forced[1])
    result = {
        "cells": np.concatenate([chosen.a, chosen.b], 1),
        "forward_cell1": forward.a,
        "forward_cell2": forward.b,
    }
    result["forward_weight_sums"] = forward.weight.sum(1, dtype=np.float64)
    return {name: torch.as_tensor(array) for name, array in result.items()}


def c2f_greedy(case: Case) -> dict[str, Tensor]:
    weight = case.inputs["weights"].numpy()
    return {
        name: torch.tensor(greedy_choice(weight, int(name.removeprefix("order_")) / 100))
        for name in case.outputs
    }


def crop_homography(case: Case) -> dict[str, Tensor]:
    cameras = [
        facing_camera(K, window) for K, window in zip(case.inputs["K"].numpy(), case.inputs["crop"].numpy())
    ]
    fields = {"size": "size", "K_new": "K", "R": "R", "H": "photo_from_crop"}
    return {
        name: torch.tensor(np.array([getattr(camera, field) for camera in cameras]))
        for name, field in fields.items()
    }


def crop(case: Case) -> dict[str, Tensor]:
    data = {name: array.numpy() for name, array in case.inputs.items()}
    window = np.array(case.options["crop"])
    left, top, right, bottom = window
    # The reference cuts out of normalised images; ours are bytes, and become such by truncation.
    photo = FullPhoto("photo", (255 * (data["img"] + 1) / 2).astype(np.uint8), data["mask"] > 0, data["K"])
    plain, facing = plain_crop(photo, window), facing_crop(photo, window)
    points = warp_image(data["pts3d"], facing.image.shape[1::-1], facing.photo_from_crop)
    result = {
        "plain_img": data["img"][top:bottom, left:right],
        "homography_img": facing.image / 255 * 2 - 1,
        "homography_pts3d": points,
    }
    np.testing.assert_allclose(plain.image / 255 * 2 - 1, result["plain_img"], atol=0.008)
    result |= _maps("plain", plain) | _maps("homography", facing)
    return {name: torch.tensor(array) for name, array in result.items()}


def _maps(name: str, cut: Crop) -> dict[str, np.ndarray]:
    return {
        f"{name}_mask": cut.inside.astype(np.uint8),
        f"{name}_to_orig": cut.photo_from_crop / cut.photo_from_crop[2, 2],
    }


def resize_function(case: Case) -> dict[str, Tensor]:
    found = [standard_resize((h, w), longest) for h, w, longest in case.inputs["query"].tolist()]
    fields = {
        "target_HW": "size",
        "to_rescaled": "half_pixel_target_from_photo",
        "to_orig": "half_pixel_photo_from_target",
    }
    return {
        name: torch.tensor(np.array([getattr(each, field) for each in found]))
        for name, field in fields.items()
    }


def resize_max(case: Case) -> dict[str, Tensor]:
    found = []
    for w, h, longest in case.inputs["query"].tolist():
        K = np.array([[900, 0, w / 2 - 0.5], [0, 910, h / 2 - 0.5], [0, 0, 1.0]])
        found.append(reduce_to((h, w), longest or None, K))
    fields = {"HW": "size", "K": "K", "to_resize": "target_from_photo", "to_orig": "photo_from_target"}
    return {
        name: torch.tensor(np.array([getattr(each, field) for each in found]))
        for name, field in fields.items()
    }


def reciprocal3d(case: Case) -> dict[str, Tensor]:
    nearest, mutual = mutual_nearest(case.inputs["P2"].numpy(), case.inputs["P1"].numpy())
    return {
        "nn2_in_P1": torch.tensor(nearest),
        "reciprocal_in_P2": torch.tensor(mutual),
        "count": torch.tensor([mutual.sum()]),
    }


def reciprocal_desc(case: Case) -> dict[str, Tensor]:
    a, b = (DescriptorMap(case.inputs[name]) for name in ("desc1", "desc2"))
    search, seeds = prepare_search(a, b), case.inputs["start_mask"].flatten().nonzero()[:, 0]
    found = {f"tol{px}": reciprocal_from_seeds(search, seeds, px) for px in case.options["tolerances_px"]}
    found |= {f"grid{step}": reciprocal_from_grid(search, step) for step in case.options["grids"]}
    result = {}
    for name, pairs in found.items():
        result |= {f"{name}.xy1": pixel_xy(pairs[:, 0], a.size), f"{name}.xy2": pixel_xy(pairs[:, 1], b.size)}
    return result


HANDLERS = {
    "load_images": load_images,
    "load_pixels": load_pixels,
    "make_pairs": make_pairs,
    "collate": collate,
    "c2f_starts": c2f_starts,
    "c2f_grid": c2f_grid,
    "c2f_select": c2f_select,
    "c2f_greedy": c2f_greedy,
    "crop_homography": crop_homography,
    "crop": crop,
    "resize_function": resize_function,
    "resize_max": resize_max,
    "reciprocal3d": reciprocal3d,
    "reciprocal_desc": reciprocal_desc,
}
