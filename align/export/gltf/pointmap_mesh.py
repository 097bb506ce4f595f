"""Meshes straight from pointmaps: two triangles per square of pixels
(docs/sparse_alignment.md, "Cameras and meshes for viewers").

They show each view's own surface without merging the views; a closed mesh of the object is made elsewhere.
For parity with the published viewer; no command uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class PointmapMesh:
    """Triangles over the pixels of one image or of several joined ones."""

    vertices: np.ndarray  # (N, 3), one per pixel, row-major
    faces: np.ndarray  # (F, 3)
    face_colours: np.ndarray  # (F, 3), on the scale of the images


def mesh_from_pointmap(image: np.ndarray, pointmap: np.ndarray, valid: np.ndarray) -> PointmapMesh:
    """Return the mesh of one view from its image (H, W, 3), pointmap (H, W, 3) and valid pixels (H, W).

    Each square of pixels gives two triangles, each in both orientations, so that it shows from both sides;
    triangles with an invalid corner or one that is not finite are left out. A triangle has the colour of its
    square's top-left or bottom-right pixel.
    """
    h, w = valid.shape
    number = np.arange(h * w).reshape(h, w)
    top_left, top_right = number[:-1, :-1].ravel(), number[:-1, 1:].ravel()
    low_left, low_right = number[1:, :-1].ravel(), number[1:, 1:].ravel()
    upper = np.stack([top_left, top_right, low_left], axis=1)
    lower = np.stack([top_right, low_left, low_right], axis=1)
    faces = np.concatenate([upper, upper[:, ::-1], lower, lower[:, ::-1]])
    owner = np.concatenate([top_left, top_left, low_right, low_right])
    usable = (valid & np.isfinite(pointmap).all(axis=-1)).ravel()
    kept = usable[faces].all(axis=1)
    return PointmapMesh(pointmap.reshape(-1, 3), faces[kept], image.reshape(-1, 3)[owner[kept]])


def join_meshes(meshes: Sequence[PointmapMesh]) -> PointmapMesh:
    """Return one mesh with the vertices and faces of all, in order."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return PointmapMesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts[:-1], strict=True)]),
        np.concatenate([mesh.face_colours for mesh in meshes]),
    )
