"""The result: cameras, depth, colours and the report, in memory and as a folder.

A scene folder holds `scene.json` (format version, views, cameras, graph, report) and `views.safetensors` (per view k: `depth/k`, `conf/k`,
`image/k`, `mask/k` on the view's grid). `scene.json` is written last, so a folder that has one is whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from masks.errors import FormatError, OutputError
from masks.notice import Level, Notice
from masks.pixelmap import PixelMap, intrinsics_to_source
from masks.whole_file import write_whole
from pairs.prediction.from_group import pointmap
from pairs.views.cameras import Cameras

SCENE_FORMAT = 1
"""Version of the folder's layout; a newer one is refused."""


@dataclass(frozen=True, slots=True)
class SceneView:
    """One placed view. Arrays lie on its grid (H, W)."""

    name: str
    camera: str
    """Id of the physical camera."""
    pixel_map: PixelMap
    """Grid pixels from the pixels of the stored file."""
    depth: np.ndarray  # (H, W) float32, z in the camera; 0 where nothing is known
    conf: np.ndarray  # (H, W) float32; 0 = not to be used
    image: np.ndarray  # (H, W, 3) uint8
    mask: np.ndarray  # (H, W) bool, True = object

    def __post_init__(self) -> None:
        w, h = self.pixel_map.target_size
        shapes = (self.depth.shape, self.conf.shape, self.mask.shape, self.image.shape[:2])
        if any(shape != (h, w) for shape in shapes):
            raise ValueError(f"{self.name}: arrays of a view on a {w}x{h} grid have the shapes {shapes}")


@dataclass(frozen=True, slots=True)
class Report:
    """What is known about how the scene came about."""

    notices: tuple[Notice, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Numbers of the solver by name, ready for JSON."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Cameras and depth of all placed views in one world and one scale."""

    views: tuple[SceneView, ...]
    cameras: Cameras
    """K in grid pixels."""
    inputs: tuple[str, ...]
    """Names of all views that were given, placed or not."""
    edges: tuple[tuple[int, int], ...]
    """Pairs that were aligned, as indices into `views`."""
    report: Report

    def __post_init__(self) -> None:
        if len(self.views) != len(self.cameras.K):
            raise ValueError(f"{len(self.views)} views and {len(self.cameras.K)} cameras")
        for name, array in (("K", self.cameras.K), ("cam_from_world", self.cameras.cam_from_world)):
            if not np.isfinite(array).all():
                raise ValueError(f"a scene's {name} must be finite")

    def at_original(self) -> Cameras:
        """Return the cameras in pixels of the upright photos at full resolution."""
        K = [intrinsics_to_source(view.pixel_map.upright(), K) for view, K in zip(self.views, self.cameras.K)]
        return Cameras(np.stack(K), self.cameras.cam_from_world)


def points_of_view(scene: Scene, index: int) -> np.ndarray:
    """Return the world points (H, W, 3) float32 of every pixel of a view's grid."""
    return pointmap(scene.views[index].depth, scene.cameras.K[index], scene.cameras.world_from_cam[index])


def save_scene(scene: Scene, folder: Path) -> None:
    """Write a scene folder. Raises `OutputError` when the place cannot be written."""
    arrays = {f"{name}/{k}": getattr(view, name) for k, view in enumerate(scene.views) for name in ("depth", "conf", "image")}
    arrays |= {f"mask/{k}": view.mask.astype(np.uint8) for k, view in enumerate(scene.views)}
    document = {
        "format": SCENE_FORMAT,
        "views": [
            {"name": v.name, "camera": v.camera, "pixel_map": asdict(v.pixel_map), "K": K.tolist(), "cam_from_world": pose.tolist()}
            for v, K, pose in zip(scene.views, scene.cameras.K, scene.cameras.cam_from_world)
        ],
        "inputs": list(scene.inputs),
        "edges": [list(edge) for edge in scene.edges],
        "report": {"notices": [asdict(n) for n in scene.report.notices], "figures": dict(scene.report.figures)},
    }
    if (folder / "scene.json").exists():
        (folder / "scene.json").unlink()
    write_whole(folder / "views.safetensors", save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
    write_whole(folder / "scene.json", (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())


def remove_parts(folder: Path) -> None:
    """Remove the further parts of an earlier scene from a scene's folder: they would look as if they belonged to the one to be written there.

    Raises `OutputError` when that cannot be.
    """
    for part in sorted(folder.iterdir()):
        if re.fullmatch(r"part-\d+", part.name) and (part / "scene.json").is_file():
            _remove_scene(part)


def _remove_scene(folder: Path) -> None:
    """Remove a scene's files from a folder, and the folder if nothing else is in it."""
    try:
        for name in ("scene.json", "views.safetensors"):
            (folder / name).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise OutputError(f"{folder}: an earlier scene cannot be removed ({error.strerror}). Remove it, or choose another folder.") from error


def load_scene(folder: Path) -> Scene:
    """Read a scene folder. Raises `FormatError` when it is missing, damaged or written by a newer program."""
    path = folder / "scene.json"
    if not path.is_file():
        raise FormatError(f"{folder}: no scene here (scene.json is missing). Give a folder that pointloom reconstruct or align has written.")
    try:
        document = json.loads(path.read_text())
        if document["format"] > SCENE_FORMAT:
            raise FormatError(f"{path}: format {document['format']} is newer than this program's {SCENE_FORMAT}. Update pointloom.")
        arrays = load_file(folder / "views.safetensors")
        return _parse(document, arrays)
    except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        raise FormatError(f"{folder}: the scene is damaged ({type(error).__name__}: {error}). Reconstruct it again.") from error


def _parse(document: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> Scene:
    views = []
    for k, entry in enumerate(document["views"]):
        stored = entry["pixel_map"]
        pixel_map = PixelMap(
            source_size=tuple(stored["source_size"]),
            orientation=stored["orientation"],
            crop=tuple(stored["crop"]),
            scaled_size=tuple(stored["scaled_size"]),
            pad=tuple(stored["pad"]),
            trim=tuple(stored.get("trim", (0, 0, 0, 0))),
        )
        depth, conf, image, mask = (arrays[f"{name}/{k}"] for name in ("depth", "conf", "image", "mask"))
        views.append(SceneView(entry["name"], entry["camera"], pixel_map, depth, conf, image, mask.astype(bool)))
    cameras = Cameras(
        np.array([entry["K"] for entry in document["views"]], float).reshape(-1, 3, 3),
        np.array([entry["cam_from_world"] for entry in document["views"]], float).reshape(-1, 4, 4),
    )
    report = document["report"]
    notices = tuple(Notice(Level(n["level"]), n["subject"], n["text"]) for n in report["notices"])
    edges = tuple((int(a), int(b)) for a, b in document["edges"])
    return Scene(tuple(views), cameras, tuple(document["inputs"]), edges, Report(notices, report["figures"]))
