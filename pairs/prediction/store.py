"""Content-addressed results on disk: what was finished once is never computed again.

An entry is one safetensors file whose name is a digest of everything that can change its bytes, and which
states the digest of its bytes. It is written under a temporary name in the same folder and renamed, so a
killed run leaves either no entry or a whole one; one that is damaged all the same is thrown away and made
again.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from masks.disk.whole_file import commit, stage, sweep_temporary_files
from masks.errors import FormatError
from pairs.prediction.sealed_arrays import Arrays, read_sealed, seal

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


STORE_VARIABLE = "POINTLOOM_STORE"
"""Environment variable that names the folder of finished steps where a caller names none."""


def user_store_folder() -> Path:
    """Return the folder of finished steps of this user. Entries are named by their content, so all scenes
    share it; it may be deleted at any time.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get(STORE_VARIABLE) or Path(cache) / "pointloom" / "store")


@dataclass(frozen=True, slots=True)
class PredictionStore:
    """A folder of finished results. Several processes may use it at once: equal keys hold equal bytes."""

    folder: Path
    """Absolute, also if it was given otherwise: a caller may change its folder while it computes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder).absolute())

    def path(self, kind: str, key: str) -> Path:
        """Return where an entry lies: one folder a kind of result."""
        return self.folder / kind / f"{key}.safetensors"

    def has(self, kind: str, key: str) -> bool:
        """Tell whether a whole entry is there; see `get`."""
        return self.get(kind, key) is not None

    def get(
        self, kind: str, key: str, read: Callable[[Arrays], Result] = dict[str, np.ndarray]
    ) -> Result | None:
        """Return what `read` makes of the arrays of an entry; none when there is no entry.

        One that is damaged, or that `read` has no use for (it raises `KeyError`, `TypeError`, `ValueError`,
        `IndexError` or `FormatError`), is removed and counts as missing. That is logged and not in any
        report: a scene does not depend on what happened to the store that it was made with.
        """
        path = self.path(kind, key)
        try:
            return read(read_sealed(path, _seal_name(kind, key)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            # It may be whole, and nobody's business but its owner's.
            _log.warning("%s: store entry cannot be read (%s); it is made again", path, error.strerror)
            return None
        except (KeyError, TypeError, ValueError, IndexError, FormatError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else error
            _log.warning("%s: damaged store entry (%s); it is made again", path, what)
            with contextlib.suppress(OSError):  # on a medium that is only read
                path.unlink()
            return None

    def get_or_make(
        self,
        kind: str,
        key: str,
        make: Callable[[], Arrays],
        read: Callable[[Arrays], Result] = dict[str, np.ndarray],
    ) -> Result:
        """Return what `read` makes of an entry, which is made and written when it is missing."""
        found = self.get(kind, key, read)
        if found is None:
            arrays = make()
            self.put(kind, key, arrays)
            return read(arrays)
        return found

    def put(self, kind: str, key: str, arrays: Arrays) -> None:
        """Write an entry atomically. Raises `OutputError` when the disk refuses."""
        # The folder is not brought to the disk, which would take as long again: an entry that disappears in a
        # power cut is made again.
        commit(stage(self.path(kind, key), seal(arrays, _seal_name(kind, key))))

    def sweep(self) -> None:
        """Remove the half-written files that killed runs left; no entry is touched."""
        with contextlib.suppress(OSError):
            for kind in self.folder.iterdir():
                sweep_temporary_files(kind)


def _seal_name(kind: str, key: str) -> str:
    """Return what an entry's digest covers beside its bytes: a whole entry under another's key is none."""
    return f"{kind}/{key}"
