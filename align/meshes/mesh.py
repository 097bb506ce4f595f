"""A closed surface of triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class ObjectMesh:
    """Triangles whose every edge lies on two of them, seen counter-clockwise from outside."""

    vertices: np.ndarray  # (V, 3) float64, world
    faces: np.ndarray  # (F, 3) int32, numbers of vertices


@dataclass(frozen=True, slots=True)
class TexturedMesh:
    """A mesh and the picture that lies on it."""

    mesh: ObjectMesh
    corner_uv: np.ndarray  # (F, 3, 2) float32, shares of the texture from its upper left corner
    texture: np.ndarray  # (S, S, 3) uint8
    seen: np.ndarray  # (S, S) bool: texels that a photo shows
