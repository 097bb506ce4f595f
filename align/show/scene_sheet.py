"""A scene as one picture."""

from __future__ import annotations

from pathlib import Path

from align.points import point_cloud
from align.scene import Scene
from align.show.image_file import write_image
from align.show.sheets import SheetView, contact_sheet


def write_scene_sheet(scene: Scene, path: Path, min_conf: float, title: str) -> None:
    """Write a PNG with photos, masks, depth, and the cloud from four sides. Raises `OutputError` when the
    place cannot be written.
    """
    masked = not all(view.mask.all() for view in scene.views)
    views = [
        SheetView(v.name, v.image, v.mask if masked else None, v.depth * (v.conf > 0)) for v in scene.views
    ]
    sheet = contact_sheet(views, point_cloud(scene, min_conf), scene.cameras, title)
    write_image(path, sheet)
