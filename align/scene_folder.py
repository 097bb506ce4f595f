"""A scene as a folder: scene.json and safetensors."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from align.scene import Scene
from align.scene_document import parse_scene
from masks.errors import FormatError, OutputError
from masks.reading import read_array_file, read_json, reading, shown
from masks.whole_file import write_whole

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
    remedy = "The scene is damaged: reconstruct it again."
    document = read_json(path, remedy)
    with reading(folder, "Reconstruct it again.", "the scene is damaged"):
        if document["format"] > SCENE_FORMAT:
            raise FormatError(
                f"{path}: format {shown(document['format'])} is newer than this program's {SCENE_FORMAT}. "
                "Update pointloom."
            )
        return parse_scene(document, read_array_file(folder / "views.safetensors", remedy))
