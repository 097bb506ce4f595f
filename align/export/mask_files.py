"""Masks as pictures, as COLMAP, Brush and nerfstudio take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from align.export.exchange.picture_files import write_picture
from align.export.originals import Originals
from align.scene import Scene, SceneView
from masks.lens import remap_to_ideal, remap_to_photo, shown_by_photo
from masks.notice import Notice, info
from masks.pixelmap import image_to_source, present
from masks.progress import Progress


@dataclass(frozen=True, slots=True)
class MasksFormat:
    """White object on black, at the photos' size."""

    file: ClassVar[str | None] = None
    uses_photos: ClassVar[bool] = True
    undistorted: bool = False
    """Of the undistorted pictures instead of the photos."""

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write `masks/a.jpg.png` for the photo a.jpg."""
        names = [view.name for view in scene.views]
        write_masks(scene, originals, folder / "masks", self.undistorted, names)
        if originals.masks is not None:
            return ()
        return (
            info(
                "masks",
                "enlarged from the scene's grids. Name the folders of the photos and of their masks with "
                "`photos` and `masks` for finer ones.",
            ),
        )


def write_masks(
    scene: Scene, originals: Originals, folder: Path, undistorted: bool, names: Sequence[str]
) -> tuple[str, ...]:
    """Write a mask a picture, `a.jpg.png` for the picture a.jpg of `names`; return their names."""
    for view, name in zip(scene.views, names):
        mask = (ideal_mask if undistorted else upright_mask)(view, originals)
        write_picture(folder / f"{name}.png", mask)
    return tuple(f"{name}.png" for name in names)


def masks_say_something(scene: Scene, originals: Originals, undistorted: bool) -> bool:
    """Tell whether there is anything in the pictures that does not count."""
    if undistorted and any(not _all_shown(view) for view in scene.views):
        return True
    if originals.masks is not None:
        return bool(originals.masks)
    return not all(_covers(view) for view in scene.views)


def upright_mask(view: SceneView, originals: Originals) -> np.ndarray:
    """Return the object (H, W) bool on the photo as viewers show it: by the photo's mask, else by that of the
    scene's grid, enlarged.
    """
    frame, size = view.pixel_map.undistortion, view.pixel_map.upright_size
    if originals.masks:
        return originals.masks[view.name].pixels
    if originals.masks is not None or _covers(view):
        return np.ones(size[::-1], bool)
    ideal = image_to_source(view.pixel_map.ideal(), view.mask)
    return ideal if frame is None else remap_to_photo(frame, size, ideal)


def ideal_mask(view: SceneView, originals: Originals) -> np.ndarray:
    """Return the object (H, W) bool on the pinhole picture that stands for the photo. What no pixel of the
    photo feeds is none.
    """
    frame = view.pixel_map.undistortion
    if frame is None:
        return upright_mask(view, originals)
    if originals.masks:
        return remap_to_ideal(frame, originals.masks[view.name].pixels)
    shown = shown_by_photo(frame, view.pixel_map.upright_size)
    if originals.masks is not None or _covers(view):
        return shown
    return shown & image_to_source(view.pixel_map.ideal(), view.mask)


def _covers(view: SceneView) -> bool:
    """Tell whether the mask of the grid holds all that the photo feeds."""
    return bool(view.mask[present(view.pixel_map)].all())


def _all_shown(view: SceneView) -> bool:
    frame = view.pixel_map.undistortion
    return frame is None or bool(shown_by_photo(frame, view.pixel_map.upright_size).all())
