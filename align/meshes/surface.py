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


def area_vectors(corners: np.ndarray) -> np.ndarray:
    """Return the normals (..., 3) of triangles (..., 3 corners, 3), outward, as long as twice their area."""
    a, b, c = np.moveaxis(corners, -2, 0)
    return np.cross(b - a, c - a)


def area_of_faces(mesh: ObjectMesh) -> np.ndarray:
    """Return the areas (F,)."""
    return np.linalg.norm(area_vectors(mesh.vertices[mesh.faces]), axis=1) / 2


def vertex_normals(mesh: ObjectMesh) -> np.ndarray:
    """Return smooth unit normals (V, 3), outward: the mean of the triangles about, by their areas."""
    of_faces = area_vectors(mesh.vertices[mesh.faces])
    summed = np.zeros_like(mesh.vertices)
    for axis in range(3):
        corners = np.repeat(of_faces[:, axis], 3)
        summed[:, axis] = np.bincount(mesh.faces.ravel(), corners, len(mesh.vertices))
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-300)


def genus(mesh: ObjectMesh, parts: int) -> int:
    """Return the number of tunnels through a closed mesh of so many parts, by Euler's formula."""
    # Every edge lies on two faces: V - E + F = V - F / 2 = 2 (parts - genus).
    return parts - (len(mesh.vertices) - len(mesh.faces) // 2) // 2
