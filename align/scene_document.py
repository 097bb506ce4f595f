"""What `scene.json` and `views.safetensors` say, checked field by field: a scene that is read is one that
every command can use, whoever wrote it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from align.scene import Report, Scene, SceneView, TrackedPoints
from masks.lens import Lens, Undistortion
from masks.notice import Level, Notice
from masks.pixelmap import PixelMap
from masks.reading import IN_WORDS, shown
from pairs.views.cameras import Cameras, is_rigid

TRACKS = ("points", "view", "point", "xy")
"""Arrays of tracked points, each a field of `TrackedPoints`."""
_MOST_SIDE = 1_000_000
"""Pixels of a photo's side."""
# Points are float32: their products with rays and poses must stay below the largest, 3e38.
_FARTHEST = 1e30
_LEAST_FOCAL, _MOST_FOCAL = 1e-3, 1e9
"""In pixels of the grid; nothing between is certainly wrong, and nothing outside can be computed with."""
# Zeros and ones of a K that was carried through pixel maps are off by rounding.
_ROUNDING = 1e-9


def parse_scene(document: Any, arrays: Mapping[str, np.ndarray]) -> Scene:
    """Return the scene of a folder's two files. Raises `ValueError`, `TypeError` or `KeyError` for what
    cannot be.
    """
    document = _of(dict, document, "the scene")
    entries = _of(list, document["views"], "views")
    if not entries:
        raise ValueError("it has no views")
    views = tuple(_view(_of(dict, entry, f"view {k}"), k, arrays) for k, entry in enumerate(entries))
    _require_distinct([view.name for view in views], "views")
    cameras = Cameras(
        np.stack([_K(entry["K"], view.name) for entry, view in zip(entries, views)]),
        np.stack([_pose(entry["cam_from_world"], view.name) for entry, view in zip(entries, views)]),
    )
    inputs = tuple(_text(name, "a name among the inputs") for name in _of(list, document["inputs"], "inputs"))
    _require_distinct(inputs, "inputs")
    edges = tuple(_edge(pair, len(views)) for pair in _of(list, document["edges"], "edges"))
    report = _report(_of(dict, document["report"], "report"))
    return Scene(views, cameras, inputs, edges, report, _tracks(arrays, len(views)))


def _view(entry: Mapping[str, Any], k: int, arrays: Mapping[str, np.ndarray]) -> SceneView:
    name = _text(entry["name"], f"the name of view {k}")
    if not 0 < len(name) < 256 or "/" in name or "\0" in name:
        # Names become names of files.
        raise ValueError(f"{shown(name)}, of view {k}, is no name of a photo's file")
    pixel_map = _pixel_map(_of(dict, entry["pixel_map"], f"the pixel map of {name}"), name)
    w, h = pixel_map.target_size
    shape = (h, w)
    return SceneView(
        name,
        _text(entry["camera"], f"the camera of {name}"),
        pixel_map,
        depth=_levels(arrays[f"depth/{k}"], shape, f"the depth of {name}"),
        conf=_levels(arrays[f"conf/{k}"], shape, f"the confidence of {name}"),
        image=_bytes(arrays[f"image/{k}"], (*shape, 3), f"the picture of {name}"),
        mask=_bytes(arrays[f"mask/{k}"], shape, f"the mask of {name}").astype(bool),
    )


def _pixel_map(stored: Mapping[str, Any], name: str) -> PixelMap:
    def whole(key: str, count: int) -> tuple[Any, ...]:
        numbers = _of(list, stored[key] if key != "trim" else stored.get(key, [0] * count), key)
        if len(numbers) != count or not all(type(n) is int and 0 <= n <= _MOST_SIDE for n in numbers):
            raise ValueError(f"{key} in the pixel map of {name} needs {count} whole numbers of pixels")
        return tuple(numbers)

    orientation = _of(int, stored["orientation"], f"the orientation of {name}")
    return PixelMap(
        whole("source_size", 2),
        orientation,
        whole("crop", 4),
        whole("scaled_size", 2),
        whole("pad", 4),
        whole("trim", 4),
        _undistortion(stored["undistortion"], name) if "undistortion" in stored else None,
    )


def _undistortion(stored: Any, name: str) -> Undistortion:
    stored = _of(dict, stored, f"the undistortion of {name}")
    lens = _of(dict, stored["lens"], f"the lens of {name}")
    coefficients = tuple(
        float(_of(float, number, f"a coefficient of {name}"))
        for number in _of(list, lens["coefficients"], f"the coefficients of {name}")
    )
    sizes = [_of(list, stored[key], key) for key in ("ideal_size", "offset")]
    if not all(
        len(pair) == 2 and all(type(n) is int and abs(n) <= _MOST_SIDE for n in pair) for pair in sizes
    ):
        raise ValueError(
            f"ideal_size and offset in the pixel map of {name} need 2 whole numbers of pixels each"
        )
    K = _K(stored["K_photo"], name)
    return Undistortion(
        Lens(_text(lens["model"], f"the lens of {name}"), coefficients),
        tuple(tuple(row) for row in K.tolist()),
        tuple(sizes[0]),
        tuple(sizes[1]),
    )


def _tracks(arrays: Mapping[str, np.ndarray], num_views: int) -> TrackedPoints | None:
    """Return the tracked points; scenes of older programs, and those without matches, have none."""
    if "tracks/points" not in arrays:
        return None
    points, view, point, xy = (arrays[f"tracks/{name}"] for name in TRACKS)
    if any(array.dtype != np.float64 or not (np.abs(array) < _FARTHEST).all() for array in (points, xy)):
        raise ValueError("its tracks have points or pixels that are no finite float64 numbers")
    if any(array.dtype != np.int32 for array in (view, point)):
        raise ValueError("its tracks have views or points that are no int32 numbers")
    if not (((view >= 0) & (view < num_views)).all() and ((point >= 0) & (point < len(points))).all()):
        raise ValueError("its tracks name views or points that are not there")
    tracks = TrackedPoints(points, view, point, xy)
    number = view.astype(np.int64) * len(points) + point
    if not (np.diff(number) > 0).all() or np.bincount(point, minlength=len(points)).min(initial=2) < 2:
        raise ValueError("its tracks are not in order, or have points that fewer than two views show")
    return tracks


def _levels(array: np.ndarray, shape: tuple[int, int], what: str) -> np.ndarray:
    if array.dtype.kind != "f" or array.shape != shape:
        raise ValueError(f"{what} is {array.dtype} {array.shape}, and should be float32 {shape}")
    # Written so that NaN is refused, too.
    if not ((array >= 0) & (array < _FARTHEST)).all():
        raise ValueError(f"{what} has pixels that are negative or no finite numbers")
    return array


def _bytes(array: np.ndarray, shape: tuple[int, ...], what: str) -> np.ndarray:
    if array.dtype != np.uint8 or array.shape != shape:
        raise ValueError(f"{what} is {array.dtype} {array.shape}, and should be uint8 {shape}")
    return array


def _K(stored: Any, name: str) -> np.ndarray:
    K = _matrix(stored, (3, 3), f"K of {name}")
    focal = np.diag(K)[:2]
    if not (
        ((focal > _LEAST_FOCAL) & (focal < _MOST_FOCAL)).all()
        and np.abs(K[2] - (0, 0, 1)).max() <= _ROUNDING
        and abs(K[1, 0]) <= _ROUNDING * focal[0]
        and np.abs(K[0, 1:]).max() < _MOST_FOCAL
        and abs(K[1, 2]) < _MOST_FOCAL
    ):
        raise ValueError(f"K of {name} is no pinhole's: (fx s cx), (0 fy cy), (0 0 1), fx and fy positive")
    return K


def _pose(stored: Any, name: str) -> np.ndarray:
    pose = _matrix(stored, (4, 4), f"cam_from_world of {name}")
    if not is_rigid(pose) or np.abs(pose[:3, 3]).max() >= _FARTHEST:
        raise ValueError(f"cam_from_world of {name} is no rotation and translation")
    return pose


def _matrix(stored: Any, shape: tuple[int, int], what: str) -> np.ndarray:
    matrix = np.array(stored, np.float64)
    if matrix.shape != shape or not np.isfinite(matrix).all():
        raise ValueError(f"{what} should be {shape[0]}x{shape[1]} finite numbers")
    return matrix


def _edge(pair: Any, num_views: int) -> tuple[int, int]:
    match pair:
        case [int(a), int(b)] if 0 <= a < num_views and 0 <= b < num_views and a != b:
            return a, b
    raise ValueError(f"a pair among the edges does not name two of the {num_views} views")


def _report(stored: Mapping[str, Any]) -> Report:
    notices = tuple(
        Notice(Level(n["level"]), _text(n["subject"], "a notice"), _text(n["text"], "a notice"))
        for n in _of(list, stored["notices"], "notices")
    )
    figures = _of(dict, stored["figures"], "figures")
    _of(list, figures.get("placements", []), "placements")
    return Report(notices, figures)


def _require_distinct(names: Sequence[str], what: str) -> None:
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        raise ValueError(f"{shown(doubled[0])} is there twice among the {what}")


def _text(value: Any, what: str) -> str:
    return _of(str, value, what)


def _of(kind: type, value: Any, what: str) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{what} should be {IN_WORDS[kind]}, not {shown(value)}")
    return value
