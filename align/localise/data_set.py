"""Data sets of visual localisation in their usual layout: a COLMAP model of the map, lists of queries with
intrinsics, a file of pairs, and the photos (docs/localisation.md, "Data").

Photos are taken as their files store them, whatever EXIF says of turning: so did COLMAP when it made the map.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from align.evaluation.localisation import read_poses
from align.export.colmap_reader import ColmapCamera, ColmapModel, colmap_camera, read_model
from align.imports.colmap import pinhole_and_lens
from align.localise.absolute_pose import QueryCamera
from align.localise.scene_points import MapPhoto, SeenPoints
from masks.errors import FormatError, MaskError
from masks.given.look import PhotoShape
from masks.image_file import open_image, probe_image
from masks.load import Polarity, load_masks
from masks.mask import Mask
from masks.reading import reading
from pairs.views.grid import Cropping, GridOptions
from pairs.views.load import view_of
from pairs.views.view import View

_HALF = 0.5
"""COLMAP's first pixel centre; ours is 0."""
_MODELS = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
"""Whose further parameters are, in this order, the first of k1, k2, p1, p2."""


@dataclass(frozen=True, slots=True)
class SceneMap:
    """A COLMAP model whose images are found by their names."""

    model: ColmapModel
    image_id: dict[str, int]


@dataclass(frozen=True, slots=True)
class LocalisationSet:
    """What is known before anything is matched."""

    photos: Path
    """Folder that the names of map photos and queries start from."""
    map: SceneMap
    queries: dict[str, QueryCamera]
    """By name, in the order of the lists."""
    candidates: dict[str, tuple[str, ...]]
    """Map photos to match a query with, best first."""
    masks: Path | None = None
    """Folder of masks, each called as its photo with `.png` behind; white is what counts."""


def read_map(folder: Path) -> SceneMap:
    """Read a COLMAP model, text or binary. Raises `FormatError` when the folder holds none."""
    model = read_model(folder)
    return SceneMap(model, {image.name: key for key, image in sorted(model.images.items())})


def map_camera(scene: SceneMap, name: str) -> QueryCamera:
    """Return the camera of a map photo."""
    return camera_of(scene.model.cameras[scene.model.images[scene.image_id[name]].camera], name)


def seen_points(scene: SceneMap, name: str) -> SeenPoints:
    """Return the scene points that the map says a photo sees."""
    image = scene.model.images[scene.image_id[name]]
    shows = np.array([key in scene.model.points for key in image.point.tolist()], bool)
    points = np.array([scene.model.points[key] for key in image.point[shows].tolist()]).reshape(-1, 3)
    return SeenPoints(image.xy[shows] - _HALF, points)


def camera_of(camera: ColmapCamera, name: str) -> QueryCamera:
    """Return a COLMAP camera with pixel centres at integers. Raises `FormatError` for a lens other than the
    published ones.
    """
    if camera.model not in _MODELS:
        raise FormatError(
            f"{name}: its camera is a {camera.model}. Undistort the photos, or fit one of "
            f"{', '.join(_MODELS)}."
        )
    K, lens = pinhole_and_lens(camera, name)
    return QueryCamera(K, camera.size, None if lens is None else tuple(lens.opencv[:4].tolist()))


def read_queries(*paths: Path) -> dict[str, QueryCamera]:
    """Return the cameras of lists with lines `name MODEL width height parameters...`, as COLMAP writes
    cameras. Raises `FormatError` naming the line.
    """
    queries = {}
    for path, number, parts in _lines(paths):
        try:
            name, model, width, height, *params = parts
            camera = colmap_camera(model, (int(width), int(height)), tuple(float(x) for x in params))
        except ValueError:
            raise FormatError(
                f"{path}, line {number}: a query is NAME MODEL WIDTH HEIGHT PARAMETERS, as in 'night/1.jpg "
                "SIMPLE_RADIAL 1600 1200 1500 800 600 0.01'. Mend this line."
            ) from None
        queries[name] = camera_of(camera, f"{path}, line {number}")
    return queries


def read_candidates(path: Path, most: int | None = None) -> dict[str, tuple[str, ...]]:
    """Return the map photos of each query, best first and at most so many, of lines `query map [score]`,
    split at blanks or commas.

    With scores the larger is better, without them the order of the lines counts. Raises `FormatError` naming
    the line.
    """
    scored: dict[str, dict[str, float]] = {}
    for _, number, parts in _lines([path]):
        try:
            query, photo, *score = parts
            value = float(score[0]) if score else 0.0
        except ValueError:
            raise FormatError(
                f"{path}, line {number}: a pair is QUERY MAP, with or without a score. Mend this line."
            ) from None
        scored.setdefault(query, {})[photo] = value
    # Sorting is stable: equal scores leave the order of the lines.
    return {query: tuple(sorted(maps, key=lambda m: -maps[m])[:most]) for query, maps in scored.items()}


def read_true_poses(path: Path) -> dict[str, np.ndarray]:
    """Return the cam_from_world (4, 4) by name of a COLMAP model (a folder) or of a file of poses."""
    if not path.is_dir():
        return read_poses(path)
    return {image.name: image.cam_from_world for _, image in sorted(read_model(path).images.items())}


def open_query(data: LocalisationSet, name: str) -> View:
    """Return a query's view, with its K."""
    return _open_view(data, name, data.queries[name])


def open_maps(data: LocalisationSet, query: str) -> Iterator[MapPhoto]:
    """Yield the map photos to match a query with, best first, each opened when it is asked for.

    Raises `FormatError` when the map has no photo of that name.
    """
    for name in data.candidates.get(query, ()):
        if name not in data.map.image_id:
            raise FormatError(
                f"{name}: paired with {query}, and no image of the map. Mend the file of pairs."
            )
        yield MapPhoto(_open_view(data, name, map_camera(data.map, name)), seen_points(data.map, name))


def _open_view(data: LocalisationSet, name: str, camera: QueryCamera) -> View:
    path = data.photos / name
    fact, picture = replace(probe_image(path), orientation=1), open_image(path)
    if fact.size != camera.size:
        (w, h), (stated_w, stated_h) = fact.size, camera.size
        raise FormatError(
            f"{path}: has {w}x{h} pixels, and its camera {stated_w}x{stated_h}. Use the photo that the "
            "camera was stated for."
        )
    view = view_of(fact, picture, _mask(data.masks, name, fact.size), GridOptions(crop=Cropping.OFF))
    return replace(view, name=name, K=camera.K)


def _mask(folder: Path | None, name: str, size: tuple[int, int]) -> Mask | None:
    if folder is None:
        return None
    path = folder / f"{name}.png"
    if not path.is_file():
        raise MaskError(
            f"{path}: no such mask. Give every photo one, white all over where everything counts."
        )
    masks, _ = load_masks([path], [PhotoShape(name, size, 1)], Polarity.WHITE)
    return masks[0]


def _lines(paths: Sequence[Path]) -> Iterator[tuple[Path, int, list[str]]]:
    for path in paths:
        with reading(path, "Check the path.", "cannot be read as a list"):
            text = path.read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                yield path, number, re.split(r"\s*,\s*|\s+", line.strip())
