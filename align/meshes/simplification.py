"""Fewer faces, still closed."""

from __future__ import annotations

from align.meshes.mesh import ObjectMesh
from masks.notice import Notice


def simplified(mesh: ObjectMesh, num_faces: int, voxel: float) -> tuple[ObjectMesh, tuple[Notice, ...]]:
    """Return the mesh smoothed and with about so many faces, and a notice where it is not within 5 % of them.

    `voxel` is that of its `ObjectSurface`.
    """
    raise NotImplementedError


def cut_level(mesh: ObjectMesh, object_from_world: object) -> ObjectMesh:
    """Return what of a closed mesh lies above z = 0 of the object's frame (4, 4), closed there by a flat
    base.

    It is the last step: simplification would round the base's edge.
    """
    raise NotImplementedError
