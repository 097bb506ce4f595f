"""COLMAP's layout, and OpenMVS's reading of it (docs/exports.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from align.export.colmap import write_colmap
from align.export.exchange.picture_files import picture_names, require_photos, write_photos, write_picture
from align.export.exchange.scene_model import scene_model, thinned_cloud
from align.export.mask_files import ideal_mask, masks_say_something, write_masks
from align.export.originals import Originals
from align.points import DEFAULT_MIN_CONF
from align.scene import Scene
from masks.errors import ImageError, UserError
from masks.notice import Notice, first_few, info
from masks.progress import Progress

_MOST_POINTS = 100_000


@dataclass(frozen=True, slots=True)
class ColmapFormat:
    """`sparse/0` with tracks, `images` and `masks/a.jpg.png`."""

    file: ClassVar[str | None] = None
    uses_photos: ClassVar[bool] = True
    text: bool = False
    """Text files in place of binary ones."""
    undistorted: bool = False
    """Ideal pictures and PINHOLE cameras in place of the photos and their lenses."""
    min_conf: float = DEFAULT_MIN_CONF
    """Where the scene has no tracks, points of the depth maps with a lower confidence are left out."""

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write the model, and photos and masks where the photos are known."""
        names, notices = _named(scene, originals, self.undistorted)
        spaced = [name for name in names if len(name.split()) > 1]
        if self.text and spaced:
            raise UserError(
                f"`text`: COLMAP reads names from text files up to their first space: {first_few(spaced)}. "
                "Omit it, or rename the photos."
            )
        cloud = None if scene.tracks is not None else thinned_cloud(scene, self.min_conf, _MOST_POINTS)
        model, colours = scene_model(scene, self.undistorted, cloud)
        write_colmap(model, names, folder / "sparse" / "0", colours, text=self.text)
        if originals.photos:
            write_photos(scene, originals, folder / "images", self.undistorted)
        if masks_say_something(scene, originals, self.undistorted):
            write_masks(scene, originals, folder / "masks", self.undistorted, names)
        return notices


@dataclass(frozen=True, slots=True)
class OpenMvsFormat:
    """`sparse` and `images` of ideal pictures, masks beside them as `a.mask.png`: for InterfaceCOLMAP."""

    file: ClassVar[str | None] = None
    uses_photos: ClassVar[bool] = True

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write model, pictures and masks. Raises `UserError` where the scene has no tracks, by which OpenMVS
        chooses the views that it compares.
        """
        require_photos(scene, originals, "openmvs")
        if scene.tracks is None:
            raise UserError(
                "openmvs needs points that several photos were seen to show, and this scene has none. "
                "Reconstruct it with a backend that matches pairs, or export colmap."
            )
        names = picture_names(scene)
        model, colours = scene_model(scene, True, None)
        write_colmap(model, names, folder / "sparse", colours)
        write_photos(scene, originals, folder / "images", undistorted=True)
        if masks_say_something(scene, originals, undistorted=True):
            for view, name in zip(scene.views, names):
                place = (folder / "images" / name).with_suffix(".mask.png")
                write_picture(place, ideal_mask(view, originals))
        return ()


def _named(
    scene: Scene, originals: Originals, undistorted: bool
) -> tuple[tuple[str, ...], tuple[Notice, ...]]:
    """Return what the images are called. Raises `ImageError` where pictures must be made and the photos are
    not known.
    """
    if originals.photos:
        return picture_names(scene), ()
    if undistorted:
        require_photos(scene, originals, "`undistorted`")
    turned = [view.name for view in scene.views if view.pixel_map.orientation != 1]
    if turned:
        raise ImageError(
            f"{first_few(turned)}: turned by their EXIF, which COLMAP does not obey: it needs upright "
            "copies. Give the folder of the photos with `photos`."
        )
    told = info("colmap", "the photos are named, not copied (`photos` copies them beside the model).")
    return tuple(view.name for view in scene.views), (told,)
