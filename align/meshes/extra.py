"""The packages of the extra `mesh`."""

from __future__ import annotations

from importlib.util import find_spec

from masks.errors import MissingExtraError

_PACKAGES = {"skimage": "scikit-image", "manifold3d": "manifold3d", "xatlas": "xatlas"}
"""Modules, and what the packages that hold them are called."""


def require_mesh() -> None:
    """Raise `MissingExtraError` where one of them is not installed."""
    absent = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
    if absent:
        raise MissingExtraError(
            f"a mesh needs {' and '.join(absent)} of the extra 'mesh'. Run: pip install 'pointloom[mesh]', "
            "or export the points, which needs nothing: `format=ply`."
        )
