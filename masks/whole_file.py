"""Writing a result file whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from masks.errors import OutputError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in the same folder and rename it, making the folder when it is
    missing.

    A killed run leaves either the old file or the new one. Raises `OutputError` when the place cannot be
    written.
    """
    # In the same folder, because a rename is atomic within one file system only; with the process id, so that
    # two writers of one file do not write into each other's.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        remedy = (
            "Free some space, or choose another place"
            if error.errno == errno.ENOSPC
            else "Choose another place"
        )
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}). {remedy} for the results."
        ) from error
