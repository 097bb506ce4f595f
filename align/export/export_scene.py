"""A scene written for other programs: several formats into one folder, all or nothing."""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from align.export.formats import EXPORTERS, Exporter, exporters_named, in_frame
from align.export.originals import Originals, PhotoSource, originals_of
from align.scene import Scene
from masks.disk.whole_file import require_folder
from masks.errors import OutputError
from masks.notice import Notice
from masks.progress import Progress, silent

_STAGING = ".pointloom-export-"


def export_scene(
    scene: Scene,
    out: Path | str,
    formats: str | Mapping[str, Exporter],
    photos: Sequence[PhotoSource] | Path | str = (),
    *,
    frame: Literal["scene", "object"] = "scene",
    overwrite: bool = False,
    progress: Progress = silent,
) -> tuple[Notice, ...]:
    """Write a scene in several formats into the folder `out`, and return what should be known of the files.

    `formats` is a list of names ("colmap,glb"), or formats by name with options of their own
    (`exporters_named`). `out` is a file where the only format writes a single one and `out` ends like it.
    `photos` is the folder of the photos that the scene was made of, their masks beside them, or sources.
    `frame` says in which frame the scene comes: "object" after `align.objects.place` has put it there.

    Files are put into their places when all are written. Nothing is replaced unless `overwrite`; without,
    `OutputError` for a folder that holds something. With it files of the same names are, and nothing is ever
    removed: strange files in a folder of pictures are an error, since programs pair them by their order.
    """
    chosen = exporters_named(formats) if isinstance(formats, str) else dict(formats)
    out = Path(out)
    single = _single_file(chosen, out)
    if not overwrite:
        _require_free(out, single is not None)
    sources = [PhotoSource((Path(photos),))] if isinstance(photos, (str, Path)) else photos
    asked = any(exporter.uses_photos for exporter in chosen.values())
    originals, notices = originals_of(scene, sources) if asked else (Originals(), ())
    chosen = {name: in_frame(exporter, frame) for name, exporter in chosen.items()}
    with _staging(out.parent if single else out) as staged:
        for name, exporter in chosen.items():
            progress(f"writing {name}", 0, 1)
            (staged / name).mkdir()
            notices = (*notices, *exporter.write(scene, originals, staged / name, progress))
            progress(f"writing {name}", 1, 1)
        moves = {staged / next(iter(chosen)) / single: out} if single else _moves(staged, chosen, out)
        _require_harmless(moves, out, originals)
        for source, target in moves.items():
            with _told(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(source, target)
    return notices


def _single_file(chosen: Mapping[str, Exporter], out: Path) -> str | None:
    """Return the name of the only file, where `out` names a file and no folder."""
    (first, *others) = chosen.values()
    if others or first.file is None or out.is_dir() or out.suffix.lower() != Path(first.file).suffix:
        return None
    return first.file


def _require_free(out: Path, file: bool) -> None:
    if file and out.exists():
        raise OutputError(f"{out}: is there already. Choose another file, or replace it with `overwrite`.")
    if not file and out.is_file():
        ends = ", ".join(sorted({Path(each.file).suffix for each in EXPORTERS.values() if each.file}))
        raise OutputError(f"{out}: is a file. Name a folder, or a file that ends like its format ({ends}).")
    if not file and out.is_dir() and any(out.iterdir()):
        first = min(path.name for path in out.iterdir())
        raise OutputError(
            f"{out}: is not empty (it holds {first}). Choose a new folder, or replace files with `overwrite`."
        )


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Yield a folder beside the places of the files, from which they can be renamed, and remove it."""
    made = not folder.exists()
    require_folder(folder)
    with _told(folder):
        staged = Path(tempfile.mkdtemp(prefix=_STAGING, dir=folder))
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        # Of a failure nothing is left that would be in the way of the next try.
        if made and not any(folder.iterdir()):
            folder.rmdir()


def _moves(staged: Path, chosen: Mapping[str, Exporter], out: Path) -> dict[Path, Path]:
    """Return where each written file goes. Formats may write the same file, if it is the same."""
    moves: dict[Path, Path] = {}
    written: dict[Path, tuple[str, Path]] = {}
    for name in chosen:
        for path in sorted(path for path in (staged / name).rglob("*") if path.is_file()):
            place = path.relative_to(staged / name)
            other, same = written.setdefault(place, (name, path))
            if same == path:
                moves[path] = out / place
            elif not filecmp.cmp(path, same, shallow=False):
                raise OutputError(
                    f"{out}: {other} and {name} both write {place.as_posix()}. Export them into folders of "
                    "their own."
                )
    return moves


def _require_harmless(moves: Mapping[Path, Path], out: Path, originals: Originals) -> None:
    """Raise `OutputError` where files would replace the photos themselves, or lie among strange ones."""
    targets = set(moves.values())
    own = {path.resolve() for path in originals.photos.values()}
    for target in targets:
        if target.exists() and target.resolve() in own:
            raise OutputError(f"{target}: is a photo of the scene, and stays. Choose another folder.")
        if target.is_dir():
            raise OutputError(f"{target}: is a folder, and a file should be there. Choose another folder.")
    for folder in {target.parent for target in targets} - {out, out.parent}:
        strange = sorted(path for path in folder.glob("*") if path.is_file() and path not in targets)
        if strange:
            raise OutputError(
                f"{strange[0]}: is not of this export, and programs would take it for a part of it. "
                "Remove it, or choose another folder."
            )


@contextmanager
def _told(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{place}: cannot be written ({error.strerror}). Choose another place for the results."
        ) from error
