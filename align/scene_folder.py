"""A scene as a folder: scene.json and safetensors."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from align.scene import Scene
from align.scene_document import TRACKS, parse_scene
from masks.disk.locks import one_at_a_time
from masks.disk.whole_file import (
    StagedFile,
    commit,
    discard,
    require_folder,
    stage,
    sweep_temporary_files,
    sync_folder,
    write_whole,
)
from masks.errors import FormatError, OutputError
from masks.pixelmap import PixelMap
from masks.reading import read_json, reading, shown
from pairs.prediction.sealed_arrays import Arrays, digest_of, read_arrays, read_sealed, seal

SCENE_FORMAT = 1
"""Version of the folder's layout."""
LENS_FORMAT = 2
"""Version of a folder whose pixel maps undo a lens: programs that know none must not take them for pinholes.
Newer versions are refused."""
_ARRAYS = "views.safetensors"
_FILES = ("scene.json", _ARRAYS)
_NEW_ARRAYS = re.compile(r"views\.([0-9a-f]{64})\.safetensors")
"""Name of arrays that are written and not yet in their place."""


def save_scene(scene: Scene, folder: Path) -> None:
    """Write a scene folder, in the place of an earlier scene. Raises `OutputError` when the place cannot be
    written.
    """
    save_scenes({folder: scene})


def save_scenes(scenes: Mapping[Path, Scene]) -> None:
    """Write scenes by their folders.

    Whatever ends it, a full disk, a kill or a power cut, every folder holds its earlier scene or the new one
    (docs/formats.md, "A scene"), and all the earlier ones as long as anything is left to be written. Raises
    `OutputError` when a place cannot be written.
    """
    with contextlib.ExitStack() as stack:
        for folder in sorted(scenes):
            require_folder(folder)
            stack.enter_context(one_at_a_time(folder))
            sweep_temporary_files(folder)
        staged: list[StagedFile] = []
        try:
            for folder, scene in scenes.items():
                staged.append(_staged(scene, folder))
            # The first last: further parts without it are no scene.
            while staged:
                commit(staged.pop())
            for folder in scenes:
                sync_folder(folder)
        finally:
            for left in staged:
                discard(left)
            for folder in scenes:
                _settle(folder)


def _staged(scene: Scene, folder: Path) -> StagedFile:
    """Write a scene's arrays beside those of the earlier scene, and return its document, to be put into its
    place: that makes it the folder's scene.
    """
    arrays = {
        f"{name}/{k}": getattr(view, name)
        for k, view in enumerate(scene.views)
        for name in ("depth", "conf", "image")
    }
    arrays |= {f"mask/{k}": view.mask.astype(np.uint8) for k, view in enumerate(scene.views)}
    if scene.tracks is not None:
        arrays |= {f"tracks/{name}": getattr(scene.tracks, name) for name in TRACKS}
    content = seal(arrays)
    digest = digest_of(content)
    document = {
        "format": LENS_FORMAT if any(v.pixel_map.undistortion for v in scene.views) else SCENE_FORMAT,
        "arrays_digest": digest,
        "views": [
            {
                "name": v.name,
                "camera": v.camera,
                "pixel_map": _stated(v.pixel_map),
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
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    write_whole(folder / f"views.{digest}.safetensors", content)
    return stage(folder / "scene.json", text.encode())


def _stated(pixel_map: PixelMap) -> dict[str, Any]:
    stated = asdict(pixel_map)
    if pixel_map.undistortion is None:
        del stated["undistortion"]
    return stated


def _settle(folder: Path) -> None:
    """Give the arrays that scene.json names their usual name, and remove those that no scene needs. Until
    that is done, and if it cannot be, the folder can be read all the same.
    """
    with contextlib.suppress(OSError, FormatError):
        stated = folder / "scene.json"
        document = read_json(stated, "") if stated.exists() else None
        digest = document.get("arrays_digest") if isinstance(document, dict) else None
        for path in folder.iterdir():
            if not (found := _NEW_ARRAYS.fullmatch(path.name)):
                continue
            if found[1] == digest:
                os.replace(path, folder / _ARRAYS)
            else:
                path.unlink()


def remove_parts(folder: Path, keep: Collection[Path] = ()) -> None:
    """Remove the further parts of an earlier scene from a scene's folder, but those to keep: they would look
    as if they belonged to the one that was written there.

    Raises `OutputError` when that cannot be.
    """
    for part in sorted(folder.iterdir()):
        # What an interrupted removal has left is one, too.
        holds_one = any((part / name).is_file() for name in _FILES)
        if re.fullmatch(r"part-\d+", part.name) and part not in keep and holds_one:
            _remove_scene(part)


def _remove_scene(folder: Path) -> None:
    """Remove a scene's files from a folder, and the folder if nothing else is in it."""
    try:
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
        _settle(folder)
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
    with reading(folder, "Reconstruct it again.", "the scene is damaged"):
        return parse_scene(*_document_and_arrays(folder))


def _document_and_arrays(folder: Path) -> tuple[dict[str, Any], Arrays]:
    """Return both files of a scene."""
    path = folder / "scene.json"
    while True:
        text = path.read_bytes()
        document = read_json(path, "The scene is damaged: reconstruct it again.")
        if document["format"] > LENS_FORMAT:
            raise FormatError(
                f"{path}: format {shown(document['format'])} is newer than this program's {LENS_FORMAT}. "
                "Update pointloom."
            )
        try:
            return document, _arrays(folder, document.get("arrays_digest"))
        except (ValueError, OSError):
            # Unless another run has written a scene in the meantime, they do not belong together.
            if path.read_bytes() == text:
                raise


def _arrays(folder: Path, digest: Any) -> Arrays:
    if digest is None:  # written before scenes named it
        return read_arrays(folder / _ARRAYS)
    if not isinstance(digest, str):
        raise ValueError("arrays_digest is no text")
    new = f"views.{digest}.safetensors"
    # Between the two renames of `save_scenes` they still have the name that they were written under.
    if _NEW_ARRAYS.fullmatch(new):
        with contextlib.suppress(FileNotFoundError):
            return read_sealed(folder / new, digest=digest)
    return read_sealed(folder / _ARRAYS, digest=digest)
