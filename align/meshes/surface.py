"""The surface where a field is zero."""

from __future__ import annotations

import numpy as np

from align.meshes.field.lattice import DistanceField
from align.meshes.mesh import ObjectMesh

_LEAST = 0.01
"""Voxels that a node is off the surface at least: a surface through a node makes faces without area."""


def surface(field: DistanceField) -> ObjectMesh:
    """Return the closed surface (W. Lorensen and H. Cline, Marching cubes, SIGGRAPH 1987) of a field whose
    rim is empty.
    """
    from skimage.measure import marching_cubes

    values = np.where(
        np.abs(field.values) < _LEAST, np.copysign(np.float32(_LEAST), field.values), field.values
    )
    places, faces, _, _ = marching_cubes(values, 0.0)
    vertices = field.lattice.origin + field.lattice.spacing * places.astype(np.float64)
    # Which way faces turn is the package's convention for fields; a closed surface tells it by its volume.
    if volume(vertices, faces) < 0:
        faces = faces[:, ::-1]
    return ObjectMesh(vertices, np.ascontiguousarray(faces, np.int32))


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Return the volume within a closed mesh, negative where its faces are seen clockwise from outside."""
    a, b, c = np.moveaxis((vertices - vertices.mean(0))[faces], 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def area_of_faces(mesh: ObjectMesh) -> np.ndarray:
    """Return the areas (F,)."""
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def genus(mesh: ObjectMesh, parts: int) -> int:
    """Return the number of tunnels through a closed mesh of so many parts, by Euler's formula."""
    # Every edge lies on two faces: V - E + F = V - F / 2 = 2 (parts - genus).
    return parts - (len(mesh.vertices) - len(mesh.faces) // 2) // 2
