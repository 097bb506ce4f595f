"""pointloom export: a scene as files for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from align.cli.console import StageDisplay, print_result
from align.export.export_scene import export_scene
from align.export.formats import EXPORTERS, exporters_named
from align.export.originals import PhotoSource, originals_of
from align.export.photo_sources import read_sources
from align.objects.placement import Placement, place
from align.scene_folder import load_scene
from masks.load import Polarity
from pairs.views.load import LoadOptions


@dataclass(frozen=True)
class Export:
    """Write a scene as files that other programs open (docs/exports.md).

    glb (points and cameras), ply (points), cameras (cameras.json); blender (GLB with cameras to look
    through), depth, masks, tum (trajectory); colmap, nerfstudio, openmvs; splats (one folder for all trainers
    of Gaussian splats).
    """

    scene: Annotated[Path, tyro.conf.Positional]
    """Folder of the scene."""
    format: Annotated[str, tyro.conf.arg(metavar=f"{'|'.join(EXPORTERS)},...")]
    """What to write: one format or several, separated by commas."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR|FILE")]
    """The folder to write into; for a single format of one file it may be that file (object.glb)."""
    overwrite: bool = False
    """Replace files of an earlier export. Without it a folder that is not empty is an error."""
    photos: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the photos that the scene was made of; default: where they lay then, with their masks."""
    masks: Annotated[str, tyro.conf.arg(metavar="DIR|auto|none")] = "auto"
    """Folder of their masks. auto: beside the photos or in their alpha channels, else those of the scene,
    which are coarser."""
    mask_polarity: Polarity = Polarity.AUTO
    """Which side of a mask is the object; auto: the side that touches the border less."""
    undistorted: bool = False
    """Write the photos with their lens distortion undone, and pinhole cameras: colmap, nerfstudio. splats and
    openmvs are always so."""
    text: bool = False
    """Write text files in place of binary ones: colmap."""
    frame: Literal["scene", "object"] = "scene"
    """World of what is written. scene: that of the scene; object: z up (y in glTF), the base at 0."""
    up: Literal["auto", "+", "-"] = "auto"
    """Which end of the axis is up, in the frame of the object; auto: as the cameras tell."""
    length: Annotated[str | None, tyro.conf.arg(metavar="PHOTO@X,Y-PHOTO@X,Y=LENGTH")] = None
    """Scale: two points of the object, each in pixels of a photo, and how far they are apart."""
    marker: Annotated[str | None, tyro.conf.arg(metavar="FAMILY:SIDE")] = None
    """Scale: printed markers that turn with the object, as in 36h11:0.05."""
    camera_height: float | None = None
    """Scale: height of the lens above the object's base."""
    min_conf: float | None = None
    """Points with a lower confidence are left out (1.5)."""
    depth_file: Annotated[str | None, tyro.conf.arg(metavar="png|npy|exr")] = None
    """depth: png (16 bits, with a scale in depth.json), or npy, exr (float32); png."""
    resolution: Annotated[str | None, tyro.conf.arg(metavar="photo|grid")] = None
    """depth: enlarged along the edges of the photo, or as measured on the grid (photo)."""
    photo_distance: float | None = None
    """blender: distance of the photos' planes from their cameras in scene units (between cameras and
    object)."""
    longest_photo: int | None = None
    """blender: longest side of the photos in the file, in pixels (1024)."""

    def run(self) -> None:
        """Load, export, and say where the files are."""
        given = {
            "min_conf": self.min_conf,
            "undistorted": self.undistorted or None,
            "text": self.text or None,
            "depth_file": self.depth_file,
            "resolution": self.resolution,
            "photo_distance": self.photo_distance,
            "longest_photo": self.longest_photo,
        }
        options = {name: value for name, value in given.items() if value is not None}
        chosen = exporters_named(self.format, options)
        scene, sources = load_scene(self.scene), self._sources()
        placement = Placement(self.frame, self.up, self.length, self.marker, self.camera_height)
        photos = originals_of(scene, sources)[0].photos if self.marker is not None else {}
        scene, placed = place(scene, placement, photos)
        with StageDisplay() as display:
            notices = export_scene(
                scene,
                self.out,
                chosen,
                sources,
                frame=self.frame,
                overwrite=self.overwrite,
                progress=display,
            )
        display.show((*placed, *notices))
        print_result(f"written: {self.out}")

    def _sources(self) -> Sequence[PhotoSource]:
        if self.photos is None:
            return read_sources(self.scene)
        return [PhotoSource((self.photos,), self.masks, LoadOptions(polarity=self.mask_polarity))]
