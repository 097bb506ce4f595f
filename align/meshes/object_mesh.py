"""From a scene and its photos to the mesh that people want: closed, of a stated size, with a texture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from align.export.originals import Originals
from align.meshes.agreed import outvoted, without_views
from align.meshes.figures import (
    SilhouetteFit,
    disagreeing,
    losing,
    picture_errors,
    picture_figures,
    silhouette_fits,
)
from align.meshes.mesh import ObjectMesh, TexturedMesh
from align.meshes.object_surface import ObjectSurface, object_surface
from align.meshes.options import MeshOptions
from align.meshes.simplification import cut_level, simplified
from align.meshes.surface import volume
from align.meshes.texture.bake import baked, seen_share
from align.meshes.texture.shots import Shot, shots_of
from align.meshes.texture.unwrap import fitting_size, unwrapped
from align.scene import Scene
from masks.errors import UserError
from masks.memory import free_memory
from masks.notice import Notice, first_few, info, warning
from masks.progress import Progress, silent

_FACES = 40_000
_SIZES = (64, 16384)


@dataclass(frozen=True, slots=True)
class ObjectMeshOptions:
    """What is asked of the finished mesh."""

    faces: int | None = None
    """How many, within 5 %; none: 40 000, whose surface is as exact as the depths."""
    texture: int | None = None
    """Side of the texture in texels; none: as fine as the photos, 512 to 4096; 0: no texture."""
    flat_base: bool = False
    """Cut the object off at z = 0, flat: for scenes in the frame of the object."""
    surface: MeshOptions = field(default_factory=MeshOptions)

    def __post_init__(self) -> None:
        if self.faces is not None and self.faces < 4:
            raise UserError(f"`faces={self.faces}`: a closed mesh has four faces at least.")
        low, high = _SIZES
        if self.texture and not low <= self.texture <= high:
            raise UserError(
                f"`texture={self.texture}`: give the texels of a side, {low} to {high}, or none, or auto."
            )


@dataclass(frozen=True, slots=True)
class MadeMesh:
    """A finished mesh, and what is known of it."""

    mesh: ObjectMesh | TexturedMesh
    notices: tuple[Notice, ...]
    figures: Mapping[str, Any]
    """By name, ready for JSON."""


def object_mesh(
    scene: Scene,
    originals: Originals | None = None,
    options: ObjectMeshOptions | None = None,
    progress: Progress = silent,
) -> MadeMesh:
    """Return the mesh of a scene's object, in the scene's world, with a texture from its photos; where they
    are not at hand, from the pictures of its grids.

    Raises what `object_surface` raises, and `UserError` where no photo shows any of the surface.
    """
    originals, options = originals or Originals(), options or ObjectMeshOptions()
    found, mesh, notices = _surface(scene, options, progress)
    fits = silhouette_fits(mesh, scene)
    odd = outvoted(fits, found.figures["silhouettes left out"])
    if odd:
        try:
            found, mesh, notices = _surface(without_views(scene, odd), options, progress)
            fits = silhouette_fits(mesh, scene)
        except UserError:  # too few views are left to see all sides
            odd = ()
    if options.flat_base:
        mesh = cut_level(mesh, np.eye(4))
    textured = None
    if options.texture != 0:
        shots = shots_of(scene, originals)
        if not originals.photos:
            text = (
                "the texture is as coarse as the scene's grids. Name the folder of the photos with `photos`."
            )
            notices = (*notices, warning("mesh", text))
        size = options.texture
        if size is None:
            size, told = fitting_size(mesh, _pixel_width(mesh, shots), free_memory())
            notices = (*notices, *told)
        textured = _textured(mesh, shots, size, progress)
        progress("comparing with the photos", 0, 1)
        figures = _figures(textured, fits, shots)
        progress("comparing with the photos", 1, 1)
    else:
        figures = _figures(mesh, fits, ())
    figures = {**found.figures, **figures, "views left out": list(odd)}
    return MadeMesh(textured or mesh, (*notices, *_said_of_silhouettes(fits, odd)), figures)


def _surface(
    scene: Scene, options: ObjectMeshOptions, progress: Progress
) -> tuple[ObjectSurface, ObjectMesh, tuple[Notice, ...]]:
    """Return the surface of a scene, its mesh of as many faces as asked for, and what is to be said."""
    found = object_surface(scene, None, options.surface, progress)
    progress("simplifying", 0, 1)
    mesh, told = simplified(found.mesh, options.faces or _FACES, found.voxel)
    progress("simplifying", 1, 1)
    return found, mesh, (*found.notices, *told)


def _textured(mesh: ObjectMesh, shots: tuple[Shot, ...], size: int, progress: Progress) -> TexturedMesh:
    progress("charts", 0, 1)
    atlas = unwrapped(mesh, size)
    progress("charts", 1, 1)
    return baked(mesh, atlas, size, shots, progress)


def _pixel_width(mesh: ObjectMesh, shots: tuple[Shot, ...]) -> float:
    """Return how wide a pixel of the photos is at the object, the median of all."""
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    depths = [shot.cam_from_world[2, :3] @ middle + shot.cam_from_world[2, 3] for shot in shots]
    return float(np.median([depth / shot.K[0, 0] for depth, shot in zip(depths, shots)]))


def _figures(
    mesh: ObjectMesh | TexturedMesh, fits: Mapping[str, SilhouetteFit], shots: tuple[Shot, ...]
) -> dict[str, Any]:
    closed = mesh.mesh if isinstance(mesh, TexturedMesh) else mesh
    overlaps = {name: fit.overlap for name, fit in fits.items()}
    figures: dict[str, Any] = {
        "faces": len(closed.faces),
        "vertices": len(closed.vertices),
        "watertight": is_watertight(closed),
        "size": np.ptp(closed.vertices, axis=0).tolist(),
        "volume": volume(closed.vertices, closed.faces),
        "IoU of silhouettes": float(np.mean(list(overlaps.values()))) if overlaps else None,
        "IoU by view": overlaps,
        "masks that disagree": list(disagreeing(overlaps)),
    }
    if isinstance(mesh, TexturedMesh):
        figures |= {"texture": len(mesh.texture), "share of surface in photos": seen_share(mesh)}
        figures |= picture_figures(picture_errors(mesh, shots))
    return figures


def _said_of_silhouettes(fits: Mapping[str, SilhouetteFit], without: Sequence[str]) -> tuple[Notice, ...]:
    """Return what is to be said of masks that do not fit a mesh that was made without some views."""
    notices = []
    odd = disagreeing({name: fit.overlap for name, fit in fits.items()})
    if without:
        text = f"made without {first_few(without)}, whose masks do not fit the surface of all. Look at them."
        notices.append(warning("mesh", text))
    elif odd:
        worst = first_few([f"{name} ({fits[name].overlap:.3f})" for name in odd])
        text = f"the masks of {worst} do not fit the mesh as the others do (IoU). Look at these masks."
        notices.append(info("mesh", text))
    lost = losing(fits)
    if lost:
        worst = first_few([f"{name} ({fits[name].lost:.1%})" for name in lost])
        text = (
            f"masks of {len(lost)} views show parts that are not on the mesh, as {worst}: they are thinner "
            "than a pixel of the depth maps, are parts that were left out, or are cut off by other masks. "
            "Take photos from nearer, or look at the masks."
        )
        notices.append(warning("mesh", text))
    return tuple(notices)


def is_watertight(mesh: ObjectMesh) -> bool:
    """Tell whether every edge lies on two triangles, which pass it in opposite directions."""
    edges = np.stack([mesh.faces, np.roll(mesh.faces, -1, axis=1)], -1).reshape(-1, 2).astype(np.int64)
    count = len(mesh.vertices)
    there = np.sort(edges[:, 0] * count + edges[:, 1])
    back = np.sort(edges[:, 1] * count + edges[:, 0])
    return bool(len(there) and (np.diff(there) > 0).all() and np.array_equal(there, back))
