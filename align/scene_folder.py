"""A scene as a folder: scene.json and safetensors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from align.scene import Report, Scene, SceneView
from masks.errors import FormatError, OutputError
from masks.notice import Level, Notice
from masks.pixelmap import PixelMap
from masks.whole_file import write_whole
from pairs.views.cameras import Cameras

SCENE_FORMAT = 1
"""Version of the folder's layout; a newer one is refused."""


def save_scene(scene: Scene, folder: Path) -> None:
    """Write a scene folder. Raises `OutputError` when the place cannot be written."""
    arrays = {
        f"{name}/{k}": getattr(view, name)
        for k, view in enumerate(scene.views)
        for name in ("depth", "conf", "image")
    }
    arrays |= {f"mask/{k}": view.mask.astype(np.uint8) for k, view in enumerate(scene.views)}
    document = {
        "format": SCENE_FORMAT,
        "views": [
            {
                "name": v.name,
                "camera": v.camera,
                "pixel_map": asdict(v.pixel_map),
                "K": K.tolist(),
                "cam_from_world": pose.tolist(),
            }
            for v, K, pose in zip(scene.views, scene.cameras.K, scene.cameras.cam_from_world)
        ],
        "inputs": list(scene.inputs),
        "edges": [list(edge) for edge in scene.edges],
        "report": {
            "notices": [asdict(n) for n in scene.report.notices],
            "figures": dict(scene.report.figures),
        },
    }
    if (folder / "scene.json").exists():
        (folder / "scene.json").unlink()
    write_whole(
        folder / "views.safetensors",
        save({name: np.ascontiguousarray(array) for name, array in arrays.items()}),
    )
    write_whole(folder / "scene.json", (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())


def remove_parts(folder: Path) -> None:
    """Remove the further parts of an earlier scene from a scene's folder: they would look as if they belonged
    to the one to be written there.

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
        raise OutputError(
            f"{folder}: an earlier scene cannot be removed ({error.strerror}). Remove it, or choose "
            "another folder."
        ) from error


def load_scene(folder: Path) -> Scene:
    """Read a scene folder. Raises `FormatError` when it is missing, damaged or written by a newer program."""
    path = folder / "scene.json"
    if not path.is_file():
        raise FormatError(
            f"{folder}: no scene here (scene.json is missing). Give a folder that pointloom reconstruct or "
            "align has written."
        )
    try:
        document = json.loads(path.read_text())
        if document["format"] > SCENE_FORMAT:
            raise FormatError(
                f"{path}: format {document['format']} is newer than this program's {SCENE_FORMAT}. Update "
                "pointloom."
            )
        arrays = load_file(folder / "views.safetensors")
        return _parse(document, arrays)
    except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        raise FormatError(
            f"{folder}: the scene is damaged ({type(error).__name__}: {error}). Reconstruct it again."
        ) from error


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
        views.append(
            SceneView(entry["name"], entry["camera"], pixel_map, depth, conf, image, mask.astype(bool))
        )
    cameras = Cameras(
        np.array([entry["K"] for entry in document["views"]], float).reshape(-1, 3, 3),
        np.array([entry["cam_from_world"] for entry in document["views"]], float).reshape(-1, 4, 4),
    )
    report = document["report"]
    notices = tuple(Notice(Level(n["level"]), n["subject"], n["text"]) for n in report["notices"])
    edges = tuple((int(a), int(b)) for a, b in document["edges"])
    return Scene(tuple(views), cameras, tuple(document["inputs"]), edges, Report(notices, report["figures"]))
