"""A folder of predictions made elsewhere: `views.json` and one file a pair."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from masks.errors import FormatError
from masks.image_file import open_image, open_levels
from masks.load import binary, choose_polarity, white_level
from masks.mask import Mask
from masks.notice import left_out, warning
from masks.pixelmap import identity
from masks.whole_file import write_whole
from pairs.matching.from_pointmaps import with_matches
from pairs.prediction.checks import fault_of_K, fault_of_pose
from pairs.prediction.pair_file import entry_from_arrays, entry_to_arrays
from pairs.prediction.predictions import PairEntry, Predictions
from pairs.views.digest import digest
from pairs.views.view import View, grid_K, grid_mask

# A grid is stated by a file from elsewhere: it must not decide how much memory is taken.
_MOST_PIXELS = 100_000_000


def read_predictions(folder: Path) -> Predictions:
    """Read `views.json` and index the pair files; the pairs themselves are read when they are asked for.

    Raises `FormatError` naming the file and entry at fault.
    """
    document = _json(folder / "views.json")
    if not isinstance(document, list) or len(document) < 2:
        raise FormatError(f"{folder / 'views.json'}: should be a list of at least two views.")
    views = tuple(_view(folder, k, entry) for k, entry in enumerate(document))
    names = [view.name for view in views]
    if len(set(names)) < len(names):
        raise FormatError(f"{folder / 'views.json'}: two views have one name. Names tell views apart.")
    files, unknown = _pair_files(folder, names)
    edges = tuple(files)
    paths = tuple(files.values())
    notices = [left_out(path.name, "names no two views of views.json: not used.") for path in unknown]
    masks = [view.mask for view in views if view.mask is not None]
    # Where the object fills every picture, white all over is right.
    if not all(mask.pixels.all() for mask in masks) and choose_polarity(masks)[0]:
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


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(
            f"{path}: cannot be read ({error.strerror}). A folder of predictions has a views.json."
        ) from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: is not JSON ({error}).") from error


def _view(folder: Path, index: int, entry: Any) -> View:
    where = f"{folder / 'views.json'}: entry {index}"
    try:
        name, size = entry["name"], (operator.index(entry["width"]), operator.index(entry["height"]))
    except (KeyError, TypeError) as error:
        raise FormatError(f"{where}: needs a name, a width and a height ({error!r}).") from error
    if not isinstance(name, str) or not name or any(c in name for c in "/\\\0"):
        raise FormatError(f"{where}: {name!r} is no name. A name is a file name without folders.")
    if min(size) < 1 or size[0] * size[1] > _MOST_PIXELS:
        raise FormatError(
            f"{where} ({name}): a grid of {size[0]}x{size[1]} cannot be. Give the size of the network's "
            "output."
        )
    K = _matrix(entry, "K", (3, 3), where)
    if K is not None and (fault := fault_of_K(K, size)):
        raise FormatError(f"{where} ({name}): {fault}")
    pose = _matrix(entry, "cam_from_world", (4, 4), where)
    if pose is not None and (fault := fault_of_pose(pose)):
        raise FormatError(f"{where} ({name}): {fault}")
    image = np.full((size[1], size[0], 3), 128, np.uint8)
    if entry.get("image") is not None:
        image = open_image(_inside(folder, entry["image"], where)).pixels
        _require_size(image, size, entry["image"], where)
    mask = None
    if entry.get("mask") is not None:
        levels = open_levels(_inside(folder, entry["mask"], where))
        _require_size(levels, size, entry["mask"], where)
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
        raise FormatError(f"{where}: {key} is not a matrix of numbers ({error}).") from error
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
            f"{where}: {relative!r} is no path. Give image and mask as paths inside the folder."
        )
    path = (folder / relative).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise FormatError(
            f"{where}: {relative} lies outside of the folder. Paths in views.json stay inside it."
        )
    return path


def _require_size(array: np.ndarray, size: tuple[int, int], name: str, where: str) -> None:
    if array.shape[:2] != (size[1], size[0]):
        raise FormatError(
            f"{where}: {name} is {array.shape[1]}x{array.shape[0]}, but the view's grid is "
            f"{size[0]}x{size[1]}."
        )


def _pair_files(folder: Path, names: list[str]) -> tuple[dict[tuple[int, int], Path], list[Path]]:
    """Return the pair files by (a, b), in ascending order, and those whose names fit no two views."""
    # Whole names are compared, never taken apart: a name may hold two dashes itself.
    stems = {f"{a}--{b}": (i, j) for i, a in enumerate(names) for j, b in enumerate(names) if i != j}
    found: dict[tuple[int, int], Path] = {}
    unknown = []
    for path in sorted((folder / "pairs").glob("*.safetensors")):
        edge = stems.get(path.stem)
        if edge is None:
            unknown.append(path)
        elif edge in found or edge[::-1] in found:
            raise FormatError(
                f"{path}: the pair is there twice, once in each order. Keep one file; it has room for both "
                "runs."
            )
        else:
            found[edge] = path
    if not found:
        raise FormatError(
            f"{folder / 'pairs'}: no pair file <a>--<b>.safetensors names two views of views.json."
        )
    return dict(sorted(found.items())), unknown


def _read_pair(path: Path, a: View, b: View) -> PairEntry:
    try:
        arrays = load_file(path)
    except (
        SafetensorError,
        OSError,
        ValueError,
        TypeError,
    ) as error:  # a TypeError: numbers that numpy does not know, such as bfloat16
        raise FormatError(f"{path}: cannot be read ({error}). Write it again, as float32.") from error
    return with_matches(entry_from_arrays(arrays, a.photo_size, b.photo_size, path), a, b)
