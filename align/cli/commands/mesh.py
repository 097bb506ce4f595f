"""pointloom mesh: a scene's object as a closed mesh with the photos on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from align.cli.console import StageDisplay, print_result
from align.export.originals import PhotoSource
from align.export.photo_sources import read_sources
from align.meshes.extra import require_mesh
from align.meshes.object_mesh import ObjectMeshOptions
from align.meshes.options import MeshOptions
from align.meshes.scene_mesh import write_object_mesh
from align.objects.placement import Placement
from align.scene_folder import load_scene
from masks.errors import UserError
from masks.load import Polarity
from pairs.views.load import LoadOptions


@dataclass(frozen=True)
class Mesh:
    """Make a closed mesh of a scene's object, with a texture from its photos (docs/meshes.md).

    The file's name tells the format: glb (texture inside), obj (texture beside it), stl, ply (coloured
    vertices). Figures of quality lie beside it, as NAME.json.
    """

    scene: Annotated[Path, tyro.conf.Positional]
    """Folder of the scene."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.glb|.obj|.stl|.ply")]
    """The file to write."""
    overwrite: bool = False
    """Replace it if it is there already."""
    faces: Annotated[str, tyro.conf.arg(metavar="NUMBER|auto")] = "auto"
    """How many triangles, within 5 %; auto: 40000."""
    texture: Annotated[str, tyro.conf.arg(metavar="TEXELS|auto|none")] = "auto"
    """Side of the texture; auto: as fine as the photos, 512 to 4096; none: no texture."""
    parts: Literal["largest", "all"] = "largest"
    """Of an object in several parts: the largest, or all down to 2 % of it."""
    flat_base: bool = False
    """Cut the object off flat at its base, for printers; only with --frame object."""
    photos: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the photos that the scene was made of; default: where they lay then, with their masks."""
    masks: Annotated[str, tyro.conf.arg(metavar="DIR|auto|none")] = "auto"
    """Folder of their masks. auto: beside the photos or in their alpha channels, else those of the scene,
    which are coarser."""
    mask_polarity: Polarity = Polarity.AUTO
    """Which side of a mask is the object; auto: the side that touches the border less."""
    frame: Literal["scene", "object"] = "object"
    """World of what is written. object: z up (y in glb and obj), the base at 0; scene: that of the scene."""
    up: Literal["auto", "+", "-"] = "auto"
    """Which end of the axis is up, in the frame of the object; auto: as the cameras tell."""
    length: Annotated[str | None, tyro.conf.arg(metavar="PHOTO@X,Y-PHOTO@X,Y=LENGTH")] = None
    """Scale: two points of the object, each in pixels of a photo, and how far they are apart."""
    marker: Annotated[str | None, tyro.conf.arg(metavar="FAMILY:SIDE")] = None
    """Scale: printed markers that turn with the object, as in 36h11:0.05."""
    camera_height: float | None = None
    """Scale: height of the lens above the object's base."""

    def run(self) -> None:
        """Load, make the mesh, write it, and print its figures."""
        require_mesh()
        options = ObjectMeshOptions(
            _number(self.faces, "faces", {"auto": None}),
            _number(self.texture, "texture", {"auto": None, "none": 0}),
            self.flat_base,
            MeshOptions(parts=self.parts),
        )
        scene = load_scene(self.scene)
        placement = Placement(self.frame, self.up, self.length, self.marker, self.camera_height)
        with StageDisplay() as display:
            made = write_object_mesh(
                scene,
                self.out,
                self._sources(),
                options,
                placement,
                overwrite=self.overwrite,
                progress=display,
            )
        display.show(made.notices)
        print_result(as_text(made.figures, self.out))

    def _sources(self) -> Sequence[PhotoSource]:
        if self.photos is None:
            return read_sources(self.scene)
        return [PhotoSource((self.photos,), self.masks, LoadOptions(polarity=self.mask_polarity))]


def as_text(figures: Mapping[str, Any], out: Path) -> str:
    """Return the figures that matter as lines for a terminal."""
    size = " x ".join(f"{side:.4g}" for side in figures["size"])
    closed = "watertight" if figures["watertight"] else "not closed"
    lines = [f"mesh                  {figures['faces']} faces, {closed}, {size}"]
    if "texture" in figures:
        share = f"{100 * figures['share of surface in photos']:.0f} % of the surface is in a photo"
        lines.append(f"texture               {figures['texture']} x {figures['texture']}, {share}")
    if figures["IoU of silhouettes"] is not None:
        least = min(figures["IoU by view"].values())
        lines.append(f"silhouettes (IoU)     {figures['IoU of silhouettes']:.4f} mean, {least:.4f} least")
    if "PSNR" in figures:
        lines.append(
            f"PSNR                  {figures['PSNR']:.2f} dB, {figures['PSNR of detail']:.2f} of detail"
        )
        lines.append(f"SSIM, flow            {figures['SSIM']:.3f}, {figures['flow in pixels']:.2f} px")
    sizes = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in figures["bytes"].items())
    return "\n".join([*lines, f"written: {out} ({sizes})"])


def _number(text: str, name: str, words: Mapping[str, int | None]) -> int | None:
    if text in words:
        return words[text]
    if not text.isdecimal() or int(text) == 0:
        raise UserError(f"`{name}={text}`: give a number, or {', or '.join(words)}.")
    return int(text)
