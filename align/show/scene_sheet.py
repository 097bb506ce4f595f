"""A scene as one picture."""

from __future__ import annotations

from pathlib import Path

from align.objects.turntable import turntable_of
from align.points import point_cloud
from align.scene import Scene
from align.show.image_file import write_image
from align.show.ring_picture import ring_picture
from align.show.sheets import SheetView, contact_sheet
from pairs.rings.ring import Grade


def write_scene_sheet(scene: Scene, path: Path, min_conf: float, title: str) -> None:
    """Write a PNG with photos, masks, depth, the cloud from four sides, and the turntable from above where
    there is one. Raises `OutputError` when the
    place cannot be written.
    """
    masked = not all(view.mask.all() for view in scene.views)
    views = [
        SheetView(v.name, v.image, v.mask if masked else None, v.depth * (v.conf > 0)) for v in scene.views
    ]
    table = turntable_of(scene)
    above = None if table.motion.grade is Grade.NONE else ring_picture(scene, table)
    sheet = contact_sheet(views, point_cloud(scene, min_conf), scene.cameras, title, above)
    write_image(path, sheet)
