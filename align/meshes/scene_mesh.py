"""The mesh of a scene, upright and in a unit, as a file with its figures beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from align.export.originals import PhotoSource, originals_of
from align.meshes.extra import require_mesh
from align.meshes.files import require_known, write_mesh
from align.meshes.object_mesh import MadeMesh, ObjectMeshOptions, object_mesh
from align.objects.placed import scene_from_placed
from align.objects.placement import Placement, place
from align.scene import Scene
from masks.disk.whole_file import write_whole
from masks.errors import OutputError, UserError
from masks.progress import Progress, silent


def write_object_mesh(
    scene: Scene,
    out: Path | str,
    photos: Sequence[PhotoSource] | Path | str = (),
    options: ObjectMeshOptions | None = None,
    placement: Placement | None = None,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> MadeMesh:
    """Make the mesh of a scene's object, write it to the file `out`, and return it with its figures, which
    also lie beside it as JSON.

    The file's suffix tells the format; STL has no place for a texture. `photos` is the folder of the photos
    that the scene was made of, their masks beside them, or sources; without them the texture is as coarse as
    the scene's grids. `placement` is where the mesh lies and in which unit; default: in the frame of the
    object.

    Raises what `object_mesh` raises, `ImageError` where photos are missing, `OutputError` when the file is
    there already, unless `overwrite`, or cannot be written.
    """
    out = Path(out)
    require_known(out)
    require_mesh()
    if out.exists() and not overwrite:
        raise OutputError(f"{out}: is there already. Choose another file, or replace it with `overwrite`.")
    options, placement = options or ObjectMeshOptions(), placement or Placement(frame="object")
    if options.flat_base and placement.frame == "scene":
        raise UserError("`flat_base`: the base is known in the frame of the object: `frame=object`.")
    if out.suffix.lower() == ".stl":
        options = replace(options, texture=0)
    sources = [PhotoSource((Path(photos),))] if isinstance(photos, (str, Path)) else photos
    originals, told = originals_of(scene, sources)
    placed, said = place(scene, placement, originals.photos)
    made = object_mesh(placed, originals, options, progress)
    back = scene_from_placed(scene.cameras, placed.cameras)
    written = write_mesh(out, made.mesh, upright=placement.frame == "object", scene_from_mesh=back)
    figures = {**made.figures, "bytes": {each.name: each.stat().st_size for each in written}}
    write_whole(out.with_suffix(".json"), (json.dumps(figures, indent=1) + "\n").encode())
    return MadeMesh(made.mesh, (*told, *said, *made.notices), figures)
