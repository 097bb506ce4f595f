"""A scene as one picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from align.meshes.mesh import TexturedMesh
from align.meshes.texture.picture import rendered
from align.objects.turntable import turntable_of
from align.points import point_cloud
from align.scene import Scene
from align.show.image_file import write_image
from align.show.ring_picture import ring_picture
from align.show.sheets import SheetView, contact_sheet
from pairs.rings.ring import Grade


def write_scene_sheet(
    scene: Scene, path: Path, min_conf: float, title: str, mesh: TexturedMesh | None = None
) -> None:
    """Write a PNG with photos, masks, the mesh in the scene's world where one is given, depth, the cloud from
    four sides, and the turntable from above where there is one. Raises `OutputError` when the
    place cannot be written.
    """
    masked = not all(view.mask.all() for view in scene.views)
    views = [
        SheetView(v.name, v.image, v.mask if masked else None, v.depth * (v.conf > 0), picture)
        for v, picture in zip(scene.views, _pictures(scene, mesh))
    ]
    table = turntable_of(scene)
    above = None if table.motion.grade is Grade.NONE else ring_picture(scene, table)
    sheet = contact_sheet(views, point_cloud(scene, min_conf), scene.cameras, title, above)
    write_image(path, sheet)


def _pictures(scene: Scene, mesh: TexturedMesh | None) -> Iterator[np.ndarray | None]:
    """Yield what each camera sees of the mesh, on white."""
    for view, K, pose in zip(scene.views, scene.cameras.K, scene.cameras.cam_from_world):
        if mesh is None:
            yield None
            continue
        picture, covered = rendered(mesh, K, pose, view.pixel_map.target_size)
        yield np.where(covered[..., None], picture, np.uint8(255))
