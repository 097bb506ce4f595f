"""A folder of predictions made elsewhere: `views.json` and one file a pair."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from safetensors.numpy import save

from masks.disk.whole_file import write_whole
from masks.errors import FormatError
from masks.given.polarity import choose_polarity
from masks.image_file import open_image, open_levels, probe_image
from masks.load import binary, white_level
from masks.mask import Mask
from masks.notice import left_out, warning
from masks.pixelmap import identity
from masks.reading import read_array_file, read_json, reading, shown
from pairs.matching.from_pointmaps import with_matches
from pairs.prediction.checks import fault_of_K, fault_of_pose
from pairs.prediction.pair_file import entry_from_arrays, entry_to_arrays
from pairs.prediction.predictions import PairEntry, Predictions
from pairs.views.digest import digest
from pairs.views.view import View, grid_K, grid_mask

_ALWAYS_PIXELS = 1 << 16
"""Of a grid that may be, whatever the pair files hold: these may be damaged."""


def read_predictions(folder: Path) -> Predictions:
    """Read `views.json` and index the pair files; the pairs themselves are read when they are asked for.

    Raises `FormatError` naming the file and entry at fault.
    """
    listed = folder / "views.json"
    document = read_json(listed, "A folder of predictions has a views.json: write it again.")
    if not isinstance(document, list) or len(document) < 2:
        raise FormatError(
            f"{listed}: should be a list of at least two views. Write one entry a view, with name, width and "
            "height."
        )
    wheres = [f"{listed}: entry {k}" for k in range(len(document))]
    names = [_name(entry, where) for entry, where in zip(document, wheres)]
    if len(set(names)) < len(names):
        raise FormatError(f"{listed}: two views have one name. Names tell views apart: rename one.")
    files, unknown = _pair_files(folder, names)
    edges = tuple(files)
    paths = tuple(files.values())
    # Sizes that somebody states must not decide how much memory is taken. The pointmaps of a view are in the
    # pair files, with 8 bytes a pixel at least: three coordinates and a confidence, 16 bits each.
    most_pixels = max(_ALWAYS_PIXELS, *(path.stat().st_size // 8 for path in paths))
    with reading(listed, "Correct the entry.", "has an entry that is no view"):
        views = tuple(_view(folder, k, entry, most_pixels) for k, entry in enumerate(document))
    notices = [left_out(path.name, "names no two views of views.json: not used.") for path in unknown]
    masks = [view.mask for view in views if view.mask is not None]
    # Where the object fills every picture, white all over is right.
    if not all(mask.coverage == 1 for mask in masks) and choose_polarity(masks)[0]:
        text = (
            "white fills most of their border, and white is the object in a folder of predictions: they "
            "look inverted. Write the object as 255."
        )
        notices.append(warning("masks", text))
    return Predictions(
        views, edges, lambda k: _read_pair(paths[k], *(views[v] for v in edges[k])), None, tuple(notices)
    )


def write_predictions(predictions: Predictions, folder: Path) -> None:
    """Write predictions as such a folder, pictures and masks included, so that they can be aligned anywhere.

    Raises `OutputError` when the place cannot be written.
    """
    document = []
    for view in predictions.views:
        w, h = view.pixel_map.target_size
        entry: dict[str, Any] = {
            "name": view.name,
            "width": w,
            "height": h,
            "image": f"images/{view.name}.png",
            "camera": view.camera,
        }
        write_whole(folder / entry["image"], _png(view.image[..., ::-1]))
        if view.mask is not None:
            entry["mask"] = f"masks/{view.name}.png"
            write_whole(folder / entry["mask"], _png(grid_mask(view).astype(np.uint8) * 255))
        entry |= {
            key: array.tolist()
            for key, array in (("K", grid_K(view)), ("cam_from_world", view.cam_from_world))
            if array is not None
        }
        document.append(entry)
    for k, (a, b) in enumerate(predictions.edges):
        arrays = {
            name: np.ascontiguousarray(array) for name, array in entry_to_arrays(predictions.load(k)).items()
        }
        write_whole(
            folder / "pairs" / f"{predictions.views[a].name}--{predictions.views[b].name}.safetensors",
            save(arrays),
        )
    # Last: a folder that has a views.json is whole.
    write_whole(folder / "views.json", (json.dumps(document, indent=1) + "\n").encode())


def _png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def _name(entry: object, where: str) -> str:
    """Return the name of an entry of views.json, which has a size as well."""
    if not isinstance(entry, dict) or not {"name", "width", "height"} <= set(entry):
        raise FormatError(f"{where}: needs a name, a width and a height. Write them.")
    name, size = entry["name"], (entry["width"], entry["height"])
    if not isinstance(name, str) or not 0 < len(name) < 256 or any(c in name for c in "/\\\0"):
        raise FormatError(f"{where}: {shown(name)} is no name. A name is a file name without folders.")
    if not all(type(side) is int for side in size):
        raise FormatError(
            f"{where} ({name}): width and height are {shown(size[0])} and {shown(size[1])}. Give "
            "whole pixels."
        )
    return name


def _view(folder: Path, index: int, entry: Mapping[str, Any], most_pixels: int) -> View:
    where = f"{folder / 'views.json'}: entry {index}"
    name, size = entry["name"], (entry["width"], entry["height"])
    if min(size) < 1 or size[0] * size[1] > most_pixels:
        raise FormatError(
            f"{where} ({name}): a grid of {size[0]}x{size[1]} cannot be, and no pair file holds so many "
            "points. Give the size of the network's output."
        )
    K = _matrix(entry, "K", (3, 3), where)
    if K is not None and (fault := fault_of_K(K, size)):
        raise FormatError(f"{where} ({name}): {fault}")
    pose = _matrix(entry, "cam_from_world", (4, 4), where)
    if pose is not None and (fault := fault_of_pose(pose)):
        raise FormatError(f"{where} ({name}): {fault}")
    image = np.full((size[1], size[0], 3), 128, np.uint8)
    if entry.get("image") is not None:
        path = _inside(folder, entry["image"], where)
        _require_size(probe_image(path).size, size, entry["image"], where)
        image = open_image(path).pixels
    mask = None
    if entry.get("mask") is not None:
        path = _inside(folder, entry["mask"], where)
        _require_size(probe_image(path).upright_size, size, entry["mask"], where)
        levels = open_levels(path)
        mask = Mask(binary(levels, white_level(levels)), str(entry["mask"]))
    # A camera of its own unless stated: sharing intrinsics that differ does more harm than not sharing equal
    # ones.
    camera = str(entry.get("camera", f"view {index}"))
    key = digest(name, image, mask.pixels if mask else "whole", K if K is not None else "free", camera)
    return View(name, None, image, identity(size), mask, key, camera=camera, K=K, cam_from_world=pose)


def _matrix(entry: Mapping[str, Any], key: str, shape: tuple[int, int], where: str) -> np.ndarray | None:
    if entry.get(key) is None:
        return None
    try:
        matrix = np.array(entry[key], float)
    except (TypeError, ValueError) as error:
        raise FormatError(
            f"{where}: {key} is not a matrix of numbers. Correct it or leave it out."
        ) from error
    if matrix.shape != shape:
        raise FormatError(
            f"{where}: {key} should be {shape[0]}x{shape[1]} numbers, not {matrix.shape}. Correct it or "
            "leave it out."
        )
    if not np.isfinite(matrix).all():
        raise FormatError(f"{where}: {key} holds numbers that are not finite. Correct it or leave it out.")
    return matrix


def _inside(folder: Path, relative: object, where: str) -> Path:
    if not isinstance(relative, str):
        raise FormatError(
            f"{where}: {shown(relative)} is no path. Give image and mask as paths inside the folder."
        )
    with reading(folder / "views.json", "Name a file inside the folder.", f"{shown(relative)} is no path"):
        path = (folder / relative).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise FormatError(
            f"{where}: {relative} lies outside of the folder. Paths in views.json stay inside it."
        )
    return path


def _require_size(found: tuple[int, int], size: tuple[int, int], name: str, where: str) -> None:
    if found != size:
        raise FormatError(
            f"{where}: {name} is {found[0]}x{found[1]}, but the view's grid is {size[0]}x{size[1]}. Write "
            "the picture at the grid's size."
        )


def _pair_files(folder: Path, names: list[str]) -> tuple[dict[tuple[int, int], Path], list[Path]]:
    """Return the pair files by (a, b), in ascending order, and those whose names fit no two views."""
    number = {name: k for k, name in enumerate(names)}
    found: dict[tuple[int, int], Path] = {}
    unknown = []
    for path in sorted((folder / "pairs").glob("*.safetensors")):
        fitting = _edges_named(path.stem, number)
        if not fitting:
            unknown.append(path)
            continue
        if len(fitting) > 1:
            raise FormatError(
                f"{path}: its name fits several pairs of views, whose own names hold two dashes. Rename "
                "these views."
            )
        edge = fitting[0]
        if edge in found or edge[::-1] in found:
            raise FormatError(
                f"{path}: the pair is there twice, once in each order. Keep one file; it has room for both "
                "runs."
            )
        found[edge] = path
    if not found:
        raise FormatError(
            f"{folder / 'pairs'}: no pair file <a>--<b>.safetensors names two views of views.json. Write one "
            "file a pair, by the names there."
        )
    return dict(sorted(found.items())), unknown


def _edges_named(stem: str, number: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return the pairs (a, b) that the name `a--b` of a file may mean: a name may hold two dashes itself."""
    cuts = [cut for cut in range(1, len(stem) - 2) if stem.startswith("--", cut)]
    pairs = [(number.get(stem[:cut]), number.get(stem[cut + 2 :])) for cut in cuts]
    return [(a, b) for a, b in pairs if a is not None and b is not None and a != b]


def _read_pair(path: Path, a: View, b: View) -> PairEntry:
    arrays = read_array_file(path, "Write it again, as float32.")
    return with_matches(entry_from_arrays(arrays, a.photo_size, b.photo_size, path), a, b)
