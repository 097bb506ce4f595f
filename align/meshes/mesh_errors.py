"""How far a mesh is from a true surface, and how much of that it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from scipy.spatial import KDTree

from align.export.gltf.glb_points import glb_chunks
from align.meshes.mesh import ObjectMesh
from align.meshes.surface import area_of_faces, area_vectors
from align.rotations import rotation_of
from masks.errors import FormatError
from masks.reading import reading

_SAMPLES = 200_000
_FITTED = 20_000
"""Samples that the fit looks at."""
_ROUNDS = 30
_TRIMMED = 0.8
"""Share of the nearest samples that the fit looks at: what no camera saw, as a base, may lie anywhere."""
_TOLERANCE = 0.01
"""Of the true surface's longest side: within it the F-score counts a place as found."""
_REMEDY = "Give a mesh as GLB, OBJ, PLY or STL."


@dataclass(frozen=True, slots=True)
class MeshErrors:
    """Distances in the unit of the truth, shares 0 to 1."""

    longest_side: float
    """Of the truth."""
    accuracy_median: float
    """From the mesh to the truth."""
    accuracy_95: float
    completeness_median: float
    """From the truth to the mesh."""
    completeness_95: float
    tolerance: float
    precision: float
    """Share of the mesh within the tolerance of the truth."""
    recall: float
    """Share of the truth within the tolerance of the mesh."""

    @property
    def f_score(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-300)


def read_mesh(path: Path) -> tuple[ObjectMesh, np.ndarray]:
    """Read the triangles of a file, and the similarity (4, 4) from it to its scene's world, which pointloom
    writes into GLB; that of other files is the unit.

    Raises `FormatError` for what is no mesh.
    """
    with reading(path, _REMEDY, "is no readable mesh"):
        mesh = trimesh.load(path, force="mesh", process=False)
        scene_from_mesh = _stated(path) if path.suffix.lower() == ".glb" else np.eye(4)
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0 or not np.isfinite(mesh.vertices).all():
        raise FormatError(f"{path}: holds no triangles. {_REMEDY}")
    return ObjectMesh(np.asarray(mesh.vertices, float), np.asarray(mesh.faces, np.int32)), scene_from_mesh


def mesh_errors(mesh: ObjectMesh, truth: ObjectMesh, truth_from_mesh: np.ndarray) -> MeshErrors:
    """Compare a mesh with the truth. `truth_from_mesh` (4, 4) is where the cameras put it, to be refined:
    what their own errors move does not count against its shape.
    """
    samples, normals = sampled_evenly(mesh, _SAMPLES)
    true_samples, true_normals = sampled_evenly(truth, _SAMPLES)
    tree = KDTree(true_samples)
    fitted = _fitted(samples[:: _SAMPLES // _FITTED], tree, true_normals, truth_from_mesh)
    samples = samples @ fitted[:3, :3].T + fitted[:3, 3]
    scale = np.cbrt(np.linalg.det(fitted[:3, :3]))
    accuracy = _distances(samples, tree, true_normals)
    completeness = _distances(true_samples, KDTree(samples), normals @ fitted[:3, :3].T / scale)
    side = float(np.ptp(truth.vertices, axis=0).max())
    tolerance = _TOLERANCE * side
    return MeshErrors(
        longest_side=side,
        accuracy_median=float(np.median(accuracy)),
        accuracy_95=float(np.quantile(accuracy, 0.95)),
        completeness_median=float(np.median(completeness)),
        completeness_95=float(np.quantile(completeness, 0.95)),
        tolerance=tolerance,
        precision=float((accuracy <= tolerance).mean()),
        recall=float((completeness <= tolerance).mean()),
    )


def _stated(path: Path) -> np.ndarray:
    document, _ = glb_chunks(path.read_bytes())
    stated = [node.get("extras", {}).get("scene_from_mesh") for node in document["nodes"]]
    found = [np.array(each, np.float64).reshape(4, 4).T for each in stated if each is not None]
    return found[0] if found else np.eye(4)


def sampled_evenly(mesh: ObjectMesh, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return places (count, 3) spread evenly over a mesh by area, and the unit normals (count, 3) there."""
    rng = np.random.default_rng(0)
    areas = area_of_faces(mesh)
    # Equal steps along the summed area, not draws: no place is left out by chance.
    steps = (np.arange(count) + rng.random(count)) / count * areas.sum()
    face = np.minimum(np.searchsorted(np.cumsum(areas), steps), len(areas) - 1)
    rng.shuffle(face)
    root, share = np.sqrt(rng.random(count))[:, None], rng.random(count)[:, None]
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces[face]], 1, 0)
    normals = area_vectors(mesh.vertices[mesh.faces[face]])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    return (1 - root) * a + root * (1 - share) * b + root * share * c, normals


def _distances(points: np.ndarray, tree: KDTree, normals: np.ndarray) -> np.ndarray:
    """Return the distances (n,) to a surface of samples with normals: to the plane of the nearest sample
    where that is beside the point, to the sample itself where the surface ends before.
    """
    direct, near = tree.query(points)
    across = np.abs(((points - tree.data[near]) * normals[near]).sum(1))
    beside = np.sqrt(np.maximum(direct**2 - across**2, 0))
    gap = np.quantile(beside, 0.5)
    return np.where(beside > 4 * gap, direct, across)


def _fitted(points: np.ndarray, tree: KDTree, normals: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the similarity (4, 4) near `start` that brings points (n, 3) to the planes of a surface's
    samples (Y. Chen and G. Medioni, Object modelling by registration of multiple range images, 1992).
    """
    found = start
    for _ in range(_ROUNDS):
        moved = points @ found[:3, :3].T + found[:3, 3]
        _, near = tree.query(moved)
        n = normals[near]
        off = ((tree.data[near] - moved) * n).sum(1)
        kept = np.abs(off) <= np.quantile(np.abs(off), _TRIMMED)
        middle = moved[kept].mean(0)
        arm, n, off = moved[kept] - middle, n[kept], off[kept]
        # To first order a point moves by turn x arm + growth arm + shift.
        columns = np.concatenate([np.cross(arm, n), (arm * n).sum(1, keepdims=True), n], 1)
        step = np.linalg.lstsq(columns, off, rcond=1e-9)[0]
        change = np.eye(4)
        change[:3, :3] = (1 + step[3]) * rotation_of(step[:3])
        change[:3, 3] = middle + step[4:] - change[:3, :3] @ middle
        found = change @ found
        if np.linalg.norm(step[:4]) < 1e-7:
            break
    return found
