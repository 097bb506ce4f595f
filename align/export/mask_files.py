"""Masks as pictures, as COLMAP, Brush and nerfstudio take them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from align.export.originals import Originals
from align.export.pictures import upright_map
from align.scene import Scene, SceneView
from masks.disk.whole_file import write_whole
from masks.lens import remap_to_ideal
from masks.notice import Notice, info
from masks.pixelmap import image_to_source
from masks.progress import Progress


@dataclass(frozen=True, slots=True)
class MasksFormat:
    """White object on black, at the photos' size."""

    file: ClassVar[str | None] = None
    undistorted: bool = False
    """Of the undistorted pictures instead of the photos."""

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write `masks/a.jpg.png` for the photo a.jpg."""
        for view in scene.views:
            pixels = ideal_mask(view, originals) if self.undistorted else upright_mask(view, originals)
            _, encoded = cv2.imencode(".png", np.where(pixels, 255, 0).astype(np.uint8))
            write_whole(folder / "masks" / f"{view.name}.png", encoded.tobytes())
        if originals.masks:
            return ()
        return (
            info(
                "masks",
                "enlarged from the scene's grids. Name the folders of the photos and of their masks with "
                "`photos` and `masks` for finer ones.",
            ),
        )


def upright_mask(view: SceneView, originals: Originals) -> np.ndarray:
    """Return the object (H, W) bool on the photo as viewers show it."""
    mask = (originals.masks or {}).get(view.name)
    return image_to_source(upright_map(view), view.mask) if mask is None else mask.pixels


def ideal_mask(view: SceneView, originals: Originals) -> np.ndarray:
    """Return the object (H, W) bool on the pinhole picture that stands for the photo."""
    mask, frame = (originals.masks or {}).get(view.name), view.pixel_map.undistortion
    if mask is None:
        return image_to_source(view.pixel_map.ideal(), view.mask)
    return mask.pixels if frame is None else remap_to_ideal(frame, mask.pixels)
