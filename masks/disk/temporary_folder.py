"""Folders for temporary files: gone with their process, or swept at the next start when it was killed."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from masks.disk.locks import abandoned, hold
from masks.errors import OutputError

_PREFIX = "pointloom-"
_IN_USE = ".in-use"
"""Ending of the file beside a folder that the folder's owner holds. It is made before the folder and goes
after it; a folder without one is none of ours."""


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder of this user alone, which goes with the block.

    Raises `OutputError` where the system has no place for one.
    """
    sweep_temporary_folders()
    with _no_place_told():
        marker, held = _new_marker()
    folder = marker.with_suffix("")
    try:
        with _no_place_told():
            folder.mkdir(0o700)
        yield folder
    finally:
        held.close()
        _remove(marker)


def temporary_file() -> BinaryIO:
    """Return a nameless file, which goes when it is closed. Raises `OutputError` as `temporary_folder`."""
    with _no_place_told():
        return tempfile.TemporaryFile()


def sweep_temporary_folders() -> None:
    """Remove the folders that killed runs of this user left."""
    with contextlib.suppress(OSError):
        for marker in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*{_IN_USE}"):
            with abandoned(marker) as free:
                if free:
                    _remove(marker)


def _remove(marker: Path) -> None:
    """Remove a folder and then its marker, so that what is left of an interruption can still be swept."""
    # A link in its place is neither followed nor removed.
    shutil.rmtree(marker.with_suffix(""), ignore_errors=True)
    marker.unlink(missing_ok=True)


def _new_marker() -> tuple[Path, FileIO]:
    while True:
        marker = Path(tempfile.gettempdir()) / f"{_PREFIX}{secrets.token_hex(8)}{_IN_USE}"
        held = FileIO(marker, "x")
        if hold(held.fileno()):
            return marker, held
        # Somebody who sweeps has met it already.
        held.close()


@contextlib.contextmanager
def _no_place_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"no temporary folder can be written ({error.strerror}). Free some space there, or name a folder "
            "in the environment variable TMPDIR."
        ) from error
