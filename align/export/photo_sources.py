"""Where a scene's photos lay: `photos.json` beside `scene.json`, so that exports find them.

Paths are relative to the scene's folder, so that a project may move as a whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from align.export.originals import PhotoSource
from masks.disk.whole_file import write_whole
from masks.load import Polarity
from masks.reading import read_json, reading
from pairs.views.load import LoadOptions

_FILE = "photos.json"
_REMEDY = "Remove it, and give the photos with `photos`."


def write_sources(folder: Path, sources: Sequence[PhotoSource]) -> None:
    """Write where the photos of the scene in a folder are."""
    document = [
        {
            "photos": [_relative(path, folder) for path in source.photos],
            "masks": source.masks if source.masks in ("auto", "none") else None,
            "masks_folder": None
            if source.masks in ("auto", "none")
            else _relative(Path(source.masks), folder),
            "polarity": source.load.polarity.value,
            "erode_px": source.load.erode_px,
        }
        for source in sources
    ]
    write_whole(folder / _FILE, (json.dumps(document, indent=1) + "\n").encode())


def read_sources(folder: Path) -> tuple[PhotoSource, ...]:
    """Return the photos of the scene in a folder; none where nobody said, or one of them is no longer there.

    Raises `FormatError` for a damaged file.
    """
    path = folder / _FILE
    if not path.is_file():
        return ()
    with reading(path, _REMEDY, "is damaged"):
        sources = tuple(_source(entry, folder) for entry in read_json(path, _REMEDY))
    return sources if all(p.exists() for source in sources for p in source.photos) else ()


def _source(entry: Any, folder: Path) -> PhotoSource:
    masks = entry["masks"]
    if masks not in ("auto", "none"):
        masks = folder / str(entry["masks_folder"])
    load = LoadOptions(polarity=Polarity(entry["polarity"]), erode_px=int(entry["erode_px"]))
    return PhotoSource(tuple(folder / str(path) for path in entry["photos"]), masks, load)


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError:  # another drive
        return path.absolute().as_posix()
