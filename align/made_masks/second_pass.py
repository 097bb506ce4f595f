"""A second reconstruction, with masks mended by the surface of the first.

Where a few masks are loose or cut a part off, the depths and the masks of all other views tell what they
should have been: the silhouettes of the surface that all of them make.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from align.made_masks.mask_folder import mask_file
from align.meshes.agreed import without_views
from align.meshes.figures import disagreeing, silhouette_fits
from align.meshes.mesh import ObjectMesh
from align.meshes.object_surface import object_surface
from align.meshes.simplification import simplified
from align.meshes.texture.raster import picture_of
from align.scene import Report, Scene, SceneView
from align.show.image_file import write_image
from masks.disk.whole_file import write_whole
from masks.errors import OutputError, PointloomError
from masks.image_file import open_levels
from masks.lens import remap_to_photo
from masks.mask import Mask
from masks.notice import Level, Notice, first_few, info, warning
from masks.progress import Progress
from masks.reading import read_json
from pairs.views.view import View

_FACES = 40_000
_FIGURE = "mended masks"
_RECORD = "written.json"
"""Digests of the masks beside it, by photos: these may be replaced, and none that people changed."""


@dataclass(frozen=True, slots=True)
class MendedMasks:
    """Masks of the upright photos of views, of which some are silhouettes of the surface."""

    masks: tuple[Mask, ...]
    overlaps: Mapping[str, float]
    """Intersection over union of the mask that was given, and the silhouette in its place, by views."""


def has_mended_masks(scene: Scene) -> bool:
    """Tell whether a scene was reconstructed with masks that a first pass mended."""
    return _FIGURE in scene.report.figures


def with_second_pass(
    scene: Scene,
    views: Sequence[View],
    again: Callable[[Sequence[Path], Sequence[Mask]], Scene],
    folder: Path | None,
    progress: Progress,
) -> Scene:
    """Return what `again` makes of the photos of the views with mended masks of the upright photos; the scene
    itself where no mask needs mending, or the second one places fewer photos. The masks are written to the
    folder, if there is one.

    Raises `OutputError` where masks lie there that people changed.
    """
    if folder is not None:
        _require_own(folder, views)
    try:
        mended = mended_masks(scene, views, progress)
    except PointloomError as error:
        return _reported(scene, warning("second pass", f"not made, as there is no surface. {error}"))
    if mended is None:
        return _reported(scene, info("second pass", "not made: all masks fit the surface."))
    paths = [view.path for view in views if view.path is not None]
    if folder is not None:
        _write(folder, views, mended)
    second = again(paths, mended.masks)
    worst = first_few([f"{name} ({overlap:.2f})" for name, overlap in mended.overlaps.items()])
    if len(second.views) < len(scene.views):
        text = (
            f"left out: with the masks of {worst} mended, {len(second.views)} instead of {len(scene.views)} "
            "photos were placed."
        )
        return _reported(scene, warning("second pass", text))
    where = "" if folder is None else f" They lie in {folder.parent.name}/{folder.name}/."
    text = (
        f"the masks of {worst} did not fit the surface of all views (IoU). Its silhouettes took their "
        f"places, and the scene was made again.{where} Look at these masks."
    )
    # Photos that could not be read are not read again.
    names = {view.name for view in views}
    missed = [n for n in scene.report.notices if n.level is Level.LEFT_OUT and n.subject not in names]
    notices = (warning("second pass", text), *missed, *second.report.notices)
    figures = {**second.report.figures, _FIGURE: dict(mended.overlaps)}
    return replace(second, report=Report(notices, figures))


def mended_masks(scene: Scene, views: Sequence[View], progress: Progress) -> MendedMasks | None:
    """Return the masks of views, those that do not fit the surface of the scene replaced by its silhouettes;
    none where all fit.

    Raises what `align.meshes.object_surface` raises.
    """
    mesh, left_out = _surface(scene, progress)
    overlaps = {name: fit.overlap for name, fit in silhouette_fits(mesh, scene).items()}
    odd = dict.fromkeys((*disagreeing(overlaps), *left_out))
    if not odd:
        return None
    # Of the other views alone: depths inside of loose masks have moved the surface.
    mesh, _ = _surface(without_views(scene, odd), progress)
    ideal = scene.at_ideal()
    drawn = {
        view.name: _silhouette(mesh, view, K, pose)
        for view, K, pose in zip(scene.views, ideal.K, ideal.cam_from_world)
        if view.name in odd
    }
    masks = tuple(drawn.get(view.name) or _upright(view) for view in views)
    return MendedMasks(masks, {name: overlaps[name] for name in odd})


def _surface(scene: Scene, progress: Progress) -> tuple[ObjectMesh, Sequence[str]]:
    """Return the closed surface, and the names of the views whose silhouettes were left out of it."""
    surface = object_surface(scene, progress=progress)
    mesh, _ = simplified(surface.mesh, _FACES, surface.voxel)
    return mesh, surface.figures["silhouettes left out"]


def _silhouette(mesh: ObjectMesh, view: SceneView, K: np.ndarray, pose: np.ndarray) -> Mask:
    """Return what an upright photo shows of the mesh."""
    pixels = picture_of(mesh, K, pose, view.pixel_map.ideal_size).covered
    frame = view.pixel_map.undistortion
    if frame is not None:
        pixels = remap_to_photo(frame, view.pixel_map.upright_size, pixels)
    return Mask(pixels, "silhouette of the surface")


def _upright(view: View) -> Mask:
    """Return a view's own mask on the upright photo; all of it where it has none."""
    size, frame = view.pixel_map.upright_size, view.pixel_map.undistortion
    if view.mask is None:
        return Mask(np.ones(size[::-1], bool), "none")
    if frame is None:
        return view.mask
    return Mask(remap_to_photo(frame, size, view.mask.pixels), view.mask.source)


def _require_own(folder: Path, views: Sequence[View]) -> None:
    """Raise `OutputError` where a mask in the folder is not one that was written: people correct them."""
    written = _written(folder)
    for view in views:
        path = mask_file(folder, view.name)
        if path.exists() and _digest(open_levels(path) > 127) not in written.get(view.name, ()):
            raise OutputError(
                f"{path}: is not the mask that a second pass wrote, maybe corrected by hand. Give the folder "
                f"by `masks={folder}`, or remove it."
            )


def _write(folder: Path, views: Sequence[View], mended: MendedMasks) -> None:
    own = {view.name: [_digest(mask.pixels)] for view, mask in zip(views, mended.masks)}
    # Killed in between, a run leaves some of its masks and some of an earlier one.
    earlier = _written(folder)
    _note(folder, {name: [*digests, *earlier.get(name, ())] for name, digests in own.items()})
    for view, mask in zip(views, mended.masks):
        write_image(mask_file(folder, view.name), mask.pixels.astype(np.uint8) * 255)
    _note(folder, own)


def _note(folder: Path, written: Mapping[str, Sequence[str]]) -> None:
    write_whole(folder / _RECORD, (json.dumps(written, indent=1) + "\n").encode())


def _written(folder: Path) -> dict[str, list[str]]:
    record = folder / _RECORD
    return read_json(record, "Remove it, and the masks beside it.") if record.is_file() else {}


def _digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(np.packbits(pixels).tobytes()).hexdigest()


def _reported(scene: Scene, notice: Notice) -> Scene:
    return replace(scene, report=Report((notice, *scene.report.notices), scene.report.figures))
