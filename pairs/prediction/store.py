"""Content-addressed results on disk: what was finished once is never computed again.

An entry is one safetensors file whose name is a digest of everything that can change its bytes. It is written
under a temporary name in the same folder and renamed, so a killed run leaves either no entry or a whole one;
one that is truncated all the same is thrown away and made again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from masks.whole_file import write_whole

_log = logging.getLogger(__name__)

Arrays = Mapping[str, np.ndarray]
"""What an entry holds: arrays by name."""


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

    def path(self, kind: str, key: str) -> Path:
        """Return where an entry lies: one folder a kind of result."""
        return self.folder / kind / f"{key}.safetensors"

    def has(self, kind: str, key: str) -> bool:
        """Tell whether a whole entry is there, without reading its arrays. One that was truncated is
        removed.
        """
        path = self.path(kind, key)
        if not path.exists():
            return False
        try:
            # Opens the header only: reading the pointmaps of a whole graph to count what is missing would
            # take minutes.
            with safe_open(path, framework="np"):
                return True
        except SafetensorError as error:
            _remove_damaged(path, error)
            return False

    def get(self, kind: str, key: str) -> dict[str, np.ndarray] | None:
        """Return the arrays of an entry; none when it is missing or was truncated (which also removes it)."""
        path = self.path(kind, key)
        if not path.exists():
            return None
        try:
            return load_file(path)
        except (SafetensorError, ValueError) as error:
            _remove_damaged(path, error)
            return None

    def get_or_make(self, kind: str, key: str, make: Callable[[], Arrays]) -> Arrays:
        """Return the arrays of an entry, made and written when it is missing."""
        found: Arrays | None = self.get(kind, key)
        if found is None:
            found = make()
            self.put(kind, key, found)
        return found

    def put(self, kind: str, key: str, arrays: Arrays) -> None:
        """Write an entry atomically. Raises `OutputError` when the disk refuses."""
        write_whole(
            self.path(kind, key), save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        )


def _remove_damaged(path: Path, error: Exception) -> None:
    _log.warning("%s: damaged store entry (%s); it is made again", path, error)
    path.unlink(missing_ok=True)
