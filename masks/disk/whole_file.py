"""Writing a result file whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from masks.disk.locks import abandoned, hold
from masks.errors import OutputError

_TEMPORARY = re.compile(r"\.pointloom-[0-9a-f]{16}\.tmp")


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file that is written and on the disk, but not in its place yet."""

    temporary: Path
    """In the same folder, because a rename is atomic within one file system only."""
    path: Path
    """Its place."""
    opened: FileIO
    """Holds the temporary file against those who sweep."""


def write_whole(path: Path, content: bytes | bytearray) -> None:
    """Write a file under a temporary name in the same folder and rename it, making the folder when it is
    missing.

    A killed run, a full disk or a power cut leave either the old file or the new one. A link is followed.
    Raises `OutputError` when the place cannot be written or is no file, such as a device or a pipe.
    """
    staged = stage(path, content)
    commit(staged)
    sync_folder(staged.path.parent)


def stage(path: Path, content: bytes | bytearray) -> StagedFile:
    """Write a file and bring it to the disk, under a temporary name; `commit` or `discard` must follow."""
    with _refusal_told(path):
        place = _place(path)
        require_folder(place.parent)
        temporary, opened = _new_file(place.parent)
        staged = StagedFile(temporary, place, opened)
        try:
            _write_all(opened, content)
            # A rename may reach the disk before the content does: after a power cut the file would be there,
            # of the right length, and all zeros.
            os.fsync(opened.fileno())
        except BaseException:
            discard(staged)
            raise
    return staged


def require_folder(folder: Path) -> None:
    """Make a folder if it is missing. Raises `OutputError` when that cannot be."""
    with _refusal_told(folder):
        folder.mkdir(parents=True, exist_ok=True)


def commit(staged: StagedFile) -> None:
    """Put a staged file into its place. Raises `OutputError` when that cannot be, which discards it.

    A power cut may undo it as long as `sync_folder` has not followed.
    """
    with _refusal_told(staged.path):
        try:
            if os.name == "nt":
                staged.opened.close()  # an open file has no other name there
            os.replace(staged.temporary, staged.path)
        except BaseException:
            discard(staged)
            raise
        staged.opened.close()


def sync_folder(folder: Path) -> None:
    """Bring a rename to the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def discard(staged: StagedFile) -> None:
    """Remove a staged file that is not wanted."""
    staged.opened.close()
    with contextlib.suppress(OSError):
        staged.temporary.unlink()


def sweep_temporary_files(folder: Path) -> None:
    """Remove the temporary files that killed runs left in a folder, if it is there."""
    with contextlib.suppress(OSError):
        for path in [path for path in folder.iterdir() if _TEMPORARY.fullmatch(path.name)]:
            with abandoned(path) as free:
                if free:
                    path.unlink()


def _place(path: Path) -> Path:
    """Return where a file of that name is to be written: where a link leads to.

    Raises `OSError` where there is something else than a file.
    """
    place = Path(os.path.realpath(path))
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        return place
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    # Renaming over it would replace the device itself, such as /dev/null in a container.
    if not stat.S_ISREG(kind):
        raise OSError(errno.EINVAL, "it is a device, a pipe or a socket, no file")
    return place


def _new_file(folder: Path) -> tuple[Path, FileIO]:
    """Return a new file with a name that nobody can know before, open for writing and held."""
    while True:
        path = folder / f".pointloom-{secrets.token_hex(8)}.tmp"
        # "x" follows no link and opens nothing that is there.
        opened = FileIO(path, "x")
        if hold(opened.fileno()):
            return path, opened
        opened.close()
        path.unlink(missing_ok=True)


def _write_all(opened: FileIO, content: bytes | bytearray) -> None:
    rest = memoryview(content)
    while len(rest):
        rest = rest[opened.write(rest) :]


@contextlib.contextmanager
def _refusal_told(path: Path) -> Iterator[None]:
    """Raise the system's refusals as `OutputError` with the file and the remedy."""
    try:
        yield
    except OSError as error:
        remedy = (
            "Free some space, or choose another place"
            if error.errno in (errno.ENOSPC, errno.EDQUOT)
            else "Choose another place"
        )
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}). {remedy} for the results."
        ) from error
