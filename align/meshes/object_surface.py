"""The closed surface of a scene's object, from depth, confidence and silhouettes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from align.meshes.checks import checked_masks, require_spread, said_of_masks, said_of_unseen
from align.meshes.extra import require_mesh
from align.meshes.field.base import Planes, close_base, covering, unseen_planes
from align.meshes.field.box import Grid, fine_grid, first_look
from align.meshes.field.fusion import fuse
from align.meshes.field.lattice import DistanceField
from align.meshes.field.repair import repair_silhouettes
from align.meshes.field.silhouettes import believed
from align.meshes.field.solid import SolidPart, solid_part
from align.meshes.field.votes import ViewVotes, footprint, votes_of
from align.meshes.mesh import ObjectMesh
from align.meshes.options import MeshOptions
from align.meshes.surface import genus, surface
from align.scene import Scene
from masks.errors import ReconstructionError
from masks.memory import free_memory
from masks.notice import Notice, info, warning
from masks.progress import Progress, silent

_COARSER = 1.5
"""Footprints of a voxel where the surface of voxels of one is noise."""


@dataclass(frozen=True, slots=True)
class ObjectSurface:
    """The surface as fused, and what is to be said about it."""

    mesh: ObjectMesh
    """As fine as the field: hundreds of thousands of faces."""
    voxel: float
    """Width of the field's cells, world units: the unit of tolerances."""
    notices: tuple[Notice, ...]
    figures: Mapping[str, Any]
    """By name, ready for JSON."""


def object_surface(
    scene: Scene,
    masks: Sequence[np.ndarray] | None = None,
    options: MeshOptions | None = None,
    progress: Progress = silent,
) -> ObjectSurface:
    """Return the closed surface of a scene's object.

    `masks` (H, W) bool, one a view, lie on the ideal pictures of the photos or on the views' grids; the
    views' own are taken where none are given. A mask that is all object says that its view has none.

    Raises `MissingExtraError` without the packages, `MaskError` where no view has a mask, `UserError` for
    cameras that all stand on one side, and `ReconstructionError` where nothing solid is left.
    """
    require_mesh()
    options = options or MeshOptions()
    masks = checked_masks(scene, masks)
    unit = footprint(scene, options.min_conf)
    votes = tuple(votes_of(scene, masks, options, unit))
    first = first_look(votes)
    require_spread(scene.cameras, first)
    found = believed(votes, first, unit)
    notices = said_of_masks(votes, found)
    if len(found.inside) == 0:
        raise ReconstructionError(
            "the masks' cones have nothing in common where the depths lie: masks or cameras are wrong. Look "
            "at the masks and at the report of the scene."
        )
    grid = fine_grid(first, found.inside, unit, options.most_nodes, free_memory())
    made = _made(scene, found.votes, grid, options, progress)
    if made.genus > options.most_holes:
        text = (
            f"the surface has {made.genus} tunnels, which is noise: it is fused again with voxels of "
            f"{_COARSER} pixels of the depth maps."
        )
        notices = (*notices, info("mesh", text))
        grid = fine_grid(first, found.inside, _COARSER * unit, options.most_nodes, free_memory())
        made = _made(scene, found.votes, grid, options, progress)
    said, figures = said_of_unseen(made.mesh, made.solid.field, made.planes, options.prior)
    figures = {
        "voxel": grid.lattice.spacing,
        "voxel in footprints": grid.lattice.spacing / unit,
        "nodes": list(grid.lattice.shape),
        "faces of the field": len(made.mesh.faces),
        "genus": made.genus,
        "parts": list(made.solid.parts),
        "silhouettes left out": [votes[view].name for view in found.left_out],
        **figures,
    }
    notices = (*notices, *grid.notices, *_said_of_parts(made.solid.parts, options), *said)
    return ObjectSurface(made.mesh, grid.lattice.spacing, notices, figures)


@dataclass(frozen=True, slots=True)
class _Made:
    mesh: ObjectMesh
    solid: SolidPart
    planes: Planes
    genus: int


def _made(
    scene: Scene, votes: Sequence[ViewVotes], grid: Grid, options: MeshOptions, progress: Progress
) -> _Made:
    field = fuse(votes, grid.lattice, options, progress)
    planes = covering(unseen_planes(field, scene.cameras.centres), field, votes)
    field = close_base(field, planes, options.truncation)
    field = repair_silhouettes(field, votes, options, progress)
    # The Gaussian rounds thin parts off: on a real turntable the silhouettes overlap by 0.985 after it, and
    # by 0.989 when they are covered once more.
    field = repair_silhouettes(_smoothed(field, options.smoothing), votes, options, progress)
    solid = solid_part(field, options)
    mesh = surface(solid.field)
    kept = len(solid.parts) if options.parts == "all" else 1
    return _Made(mesh, solid, planes, genus(mesh, kept))


def _smoothed(field: DistanceField, sigma: float) -> DistanceField:
    return replace(field, values=gaussian_filter(field.values, sigma)) if sigma else field


def _said_of_parts(parts: Sequence[float], options: MeshOptions) -> tuple[Notice, ...]:
    if len(parts) == 1:
        return ()
    shares = ", ".join(f"{100 * share:.0f} %" for share in parts[1:6])
    if options.parts == "all":
        return (
            info(
                "mesh", f"the object is in {len(parts)} parts; the smaller ones are {shares} of the largest."
            ),
        )
    text = (
        f"the object is in {len(parts)} parts, and only the largest is kept; the others are {shares} of it. "
        "Keep them with `parts=all`."
    )
    return (warning("mesh", text),)
