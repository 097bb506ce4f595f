"""Fewer faces, still closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from align.meshes.extra import require_mesh
from align.meshes.mesh import ObjectMesh
from masks.errors import SolverError, UserError
from masks.notice import Notice, info, warning

if TYPE_CHECKING:
    from manifold3d import Manifold

_TAUBIN, _TAUBIN_STEPS = (0.6, -0.64), 20
"""Shares of the way to the neighbours' mean: inward, and out again (G. Taubin, A signal processing approach
to fair surface design, SIGGRAPH 1995). What is broader than 13 voxels stays. Few steps leave noise that the
faces then follow: normals of 40 000 faces of a rendered pot are 14.3 degrees off at 95 % without any, 13.7
after 3 steps of (0.5, -0.53), 13.0 after these, and its surface is no farther off."""
_FIRST, _MOST, _TRIES = 0.15, 1.0, 8
"""Voxels of tolerance of the first try, of any, and how many tries there are."""
_FACES_FALL = 0.85
"""Faces fall about with the tolerance to the power of 1 / 0.85."""
_NEAR = 0.05
"""Share of the faces asked for by which their number may be off."""
_CRUMB = 1.0
"""Cubic voxels of a part that stays."""


def simplified(mesh: ObjectMesh, num_faces: int, voxel: float) -> tuple[ObjectMesh, tuple[Notice, ...]]:
    """Return the mesh smoothed and with about so many faces, and a notice where it is not within 5 % of them.

    `voxel` is that of its `ObjectSurface`. Holes stay: simplification keeps the genus.
    """
    require_mesh()
    if num_faces < 4:
        raise UserError(f"`faces={num_faces}`: a closed mesh has four faces at least.")
    middle = mesh.vertices.mean(0)
    whole = as_manifold(ObjectMesh((smoothed(mesh).vertices - middle) / voxel, mesh.faces))
    if whole.num_tri() <= num_faces * (1 + _NEAR):
        text = f"the surface has {whole.num_tri()} faces, no more than the {num_faces} asked for."
        notices = (info("mesh", text),) if whole.num_tri() < num_faces * (1 - _NEAR) else ()
        return _placed(whole, middle, voxel), notices
    tolerance, tried = _FIRST, []
    for _ in range(_TRIES):
        found = without_crumbs(whole.simplify(tolerance))
        tried.append((abs(np.log(found.num_tri() / num_faces)), tolerance, found))
        if abs(found.num_tri() / num_faces - 1) <= _NEAR:
            break
        step = (found.num_tri() / num_faces) ** _FACES_FALL
        if tolerance >= _MOST and step > 1:
            break
        tolerance = min(tolerance * step, _MOST)
    off, tolerance, best = min(tried, key=lambda one: one[:2])
    notices = ()
    if off > np.log1p(_NEAR):
        # The package counts as if all were one part.
        tunnels = best.genus() + len(best.decompose()) - 1
        text = (
            f"the mesh has {best.num_tri()} faces, not {num_faces}: {tunnels} tunnels go through it, or "
            f"fewer faces would move the surface by more than {_MOST:.0f} voxel."
        )
        notices = (warning("mesh", text),)
    return _placed(best, middle, voxel), notices


def cut_level(mesh: ObjectMesh, object_from_world: np.ndarray) -> ObjectMesh:
    """Return what of a closed mesh lies above z = 0 of the object's frame (4, 4) rigid, closed there by a
    flat base.

    It is the last step: simplification would round the base's edge. Raises `UserError` when nothing is above.
    """
    require_mesh()
    up, height = object_from_world[2, :3], object_from_world[2, 3]
    middle, size = mesh.vertices.mean(0), float(np.ptp(mesh.vertices, axis=0).max())
    solid = as_manifold(ObjectMesh((mesh.vertices - middle) / size, mesh.faces))
    cut = solid.trim_by_plane(up.tolist(), -float(height + up @ middle) / size)
    if cut.is_empty():
        raise UserError("nothing of the object is above z = 0 of its frame. Turn it over with `up`.")
    return _placed(cut, middle, size)


def smoothed(mesh: ObjectMesh) -> ObjectMesh:
    """Return the mesh without the steps of its lattice; it does not shrink."""
    count = len(mesh.vertices)
    # Every edge is met from both its faces, in both directions.
    start, end = mesh.faces.ravel(), np.roll(mesh.faces, -1, axis=1).ravel()
    near = csr_array((np.ones(len(start)), (start, end)), shape=(count, count))
    number = np.bincount(start, minlength=count)[:, None]
    vertices = mesh.vertices
    for _ in range(_TAUBIN_STEPS):
        for share in _TAUBIN:
            vertices = vertices + share * (near @ vertices / number - vertices)
    return ObjectMesh(vertices, mesh.faces)


def as_manifold(mesh: ObjectMesh) -> Manifold:
    """Return a closed mesh for the package manifold3d, which keeps it closed. Raises `SolverError` where the
    mesh is not.
    """
    from manifold3d import Error, Manifold, Mesh64

    solid = Manifold(Mesh64(np.ascontiguousarray(mesh.vertices), mesh.faces.astype(np.uint64)))
    if solid.status() != Error.NoError:
        raise SolverError(f"the surface is no closed manifold: {solid.status()}")
    return solid


def without_crumbs(solid: Manifold) -> Manifold:
    """Return a solid, in voxels, without parts that are smaller than one: collapsing edges pinches them off,
    as two flat tetrahedra within the body of a toy dinosaur.
    """
    parts = solid.decompose()
    kept = [part for part in parts if part.volume() > _CRUMB]
    return type(solid).compose(kept) if 0 < len(kept) < len(parts) else solid


def _placed(solid: Manifold, middle: np.ndarray, size: float) -> ObjectMesh:
    found = solid.to_mesh64()
    vertices = np.asarray(found.vert_properties)[:, :3] * size + middle
    return ObjectMesh(vertices, np.asarray(found.tri_verts).astype(np.int32))
