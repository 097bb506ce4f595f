"""The store's keys of the embedded backend: one version and one way to make them."""

from __future__ import annotations

import functools
import importlib.metadata

import cv2
import numpy as np

from pairs.views.digest import digest
from pairs.views.view import View

VERSION = "classical 5"
"""Raised whenever any step of this backend computes something else: all that was stored before is then made
again."""


@functools.cache
def backend_version() -> str:
    """Return the version of this backend and of the libraries that compute for it, in one line.

    Another release of OpenCV finds other features and rounds other resizes; a store that outlives an upgrade
    must not mix the two.
    """
    return (
        f"{VERSION} (opencv {cv2.__version__}, numpy {np.__version__}, pycolmap "
        f"{_mapper_version() or 'missing'})"
    )


def stage_key(kind: str, *parts: object) -> str:
    """Return the store's key of a result of this backend: `kind` is its folder in the store, `parts` are all
    that it was computed from.
    """
    return digest(backend_version(), kind, *parts)


def photo_key(view: View) -> str:
    """Return the digest of what features and cameras depend on: the photo and its mask, not the grid, so that
    another grid repeats nothing.
    """
    # A view made in memory states one key only; it says more than is needed, which costs time and no
    # correctness.
    return view.photo_key or view.grid_key


def _mapper_version() -> str:
    try:
        return importlib.metadata.version("pycolmap")
    except importlib.metadata.PackageNotFoundError:
        return ""
