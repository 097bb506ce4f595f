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
from masks.errors import UserError
from masks.progress import Progress, silent


def write_object_mesh(
    scene: Scene,
    path: Path,
    sources: Sequence[PhotoSource] = (),
    options: ObjectMeshOptions | None = None,
    placement: Placement | None = None,
    progress: Progress = silent,
) -> MadeMesh:
    """Make the mesh of a scene's object, write it, and return it with its figures, which are also written
    beside it as JSON.

    The file's suffix tells the format; STL has no place for a texture. `sources` are the photos that the
    scene was made of; without them the texture is as coarse as its grids. `placement` is where the mesh lies
    and in which unit; default: in the frame of the object.

    Raises what `object_mesh` raises, `ImageError` where photos are missing, `OutputError` when the place
    cannot be written.
    """
    require_known(path)
    require_mesh()
    options, placement = options or ObjectMeshOptions(), placement or Placement(frame="object")
    if options.flat_base and placement.frame == "scene":
        raise UserError("`flat_base`: the base is known in the frame of the object: `frame=object`.")
    if path.suffix.lower() == ".stl":
        options = replace(options, texture=0)
    originals, told = originals_of(scene, sources)
    placed, said = place(scene, placement, originals.photos)
    made = object_mesh(placed, originals, options, progress)
    back = scene_from_placed(scene.cameras, placed.cameras)
    written = write_mesh(path, made.mesh, upright=placement.frame == "object", scene_from_mesh=back)
    figures = {**made.figures, "bytes": {each.name: each.stat().st_size for each in written}}
    write_whole(path.with_suffix(".json"), (json.dumps(figures, indent=1) + "\n").encode())
    return MadeMesh(made.mesh, (*told, *said, *made.notices), figures)
