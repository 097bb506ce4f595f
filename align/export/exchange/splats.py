"""One folder that the trainers of Gaussian splats open as it is (docs/exports.md, "Splats")."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from align.export.colmap import write_colmap
from align.export.exchange.nerfstudio import transforms, write_transforms
from align.export.exchange.picture_files import picture_names, require_photos, write_photos, write_picture
from align.export.exchange.point_file import write_points
from align.export.exchange.scene_model import scene_model, thinned_cloud
from align.export.mask_files import ideal_mask, masks_say_something, write_masks
from align.export.originals import Originals
from align.export.pictures import ideal_picture
from align.points import DEFAULT_MIN_CONF
from align.scene import Scene
from masks.notice import Notice
from masks.progress import Progress

_MOST_POINTS = 100_000
"""Trainers begin with a splat a point, and add more themselves."""


@dataclass(frozen=True, slots=True)
class SplatsFormat:
    """Ideal pictures, masks, `sparse/0`, `transforms.json`; cut-outs in `rgba` where there are masks."""

    file: ClassVar[str | None] = None
    uses_photos: ClassVar[bool] = True
    min_conf: float = DEFAULT_MIN_CONF
    """Points of the depth maps with a lower confidence are left out."""

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write everything; the photos are needed."""
        require_photos(scene, originals, "splats")
        names = picture_names(scene)
        model, colours = scene_model(scene, True, thinned_cloud(scene, self.min_conf, _MOST_POINTS))
        sparse = folder / "sparse" / "0"
        write_colmap(model, names, sparse, colours)
        # Some trainers would write it themselves, and cannot where the folder is not theirs.
        write_points(sparse / "points3D.ply", model.points, colours)
        write_photos(scene, originals, folder / "images", undistorted=True)
        masks: tuple[str, ...] = ()
        if masks_say_something(scene, originals, undistorted=True):
            masks = write_masks(scene, originals, folder / "masks", True, names)
        document = transforms(scene, True, masks, "sparse/0/points3D.ply")
        write_transforms(folder / "transforms.json", document)
        if masks:
            # A model of its own, since these are PNG whatever the photos are, and trainers go by the names.
            cut_out = tuple(name if name.lower().endswith(".png") else f"{name}.png" for name in names)
            write_colmap(model, cut_out, folder / "rgba" / "sparse" / "0", colours)
            write_points(folder / "rgba" / "sparse" / "0" / "points3D.ply", model.points, colours)
            for k, (view, name) in enumerate(zip(scene.views, cut_out)):
                progress("cutting out", k, len(names))
                alpha = ideal_mask(view, originals).astype(np.uint8)[..., None] * 255
                pixels = np.concatenate([ideal_picture(view, originals), alpha], axis=2)
                write_picture(folder / "rgba" / "images" / name, pixels)
        return ()
