"""pointloom mesh: a scene's object as a closed mesh with the photos on it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from align.cli.console import StageDisplay, print_result
from align.export.originals import Originals, PhotoSource, originals_of
from align.export.photo_sources import read_sources
from align.meshes.extra import require_mesh
from align.meshes.files import require_known, write_mesh
from align.meshes.object_mesh import MadeMesh, ObjectMeshOptions, object_mesh
from align.meshes.options import MeshOptions
from align.objects.placement import Placement, place
from align.scene import Scene
from align.scene_folder import load_scene
from masks.disk.whole_file import write_whole
from masks.errors import OutputError, UserError
from masks.load import Polarity
from masks.progress import Progress
from pairs.views.cameras import Cameras
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
        require_known(self.out)
        require_mesh()
        if self.out.exists() and not self.overwrite:
            raise OutputError(
                f"{self.out}: is there already. Choose another file, or replace it with `overwrite`."
            )
        if self.flat_base and self.frame == "scene":
            raise UserError("`flat_base`: the base is known in the frame of the object: `frame=object`.")
        wanted = "none" if self.out.suffix.lower() == ".stl" else self.texture  # it has no place for one
        options = ObjectMeshOptions(
            _number(self.faces, "faces", {"auto": None}),
            _number(wanted, "texture", {"auto": None, "none": 0}),
            self.flat_base,
            MeshOptions(parts=self.parts),
        )
        scene = load_scene(self.scene)
        placement = Placement(self.frame, self.up, self.length, self.marker, self.camera_height)
        with StageDisplay() as display:
            originals, told = originals_of(scene, self._sources())
            made = meshed(scene, originals, placement, options, self.out, display)
        display.show((*told, *made.notices))
        print_result(as_text(made.figures, self.out))

    def _sources(self) -> Sequence[PhotoSource]:
        if self.photos is None:
            return read_sources(self.scene)
        return [PhotoSource((self.photos,), self.masks, LoadOptions(polarity=self.mask_polarity))]


def meshed(
    scene: Scene,
    originals: Originals,
    placement: Placement,
    options: ObjectMeshOptions,
    out: Path,
    progress: Progress,
) -> MadeMesh:
    """Make the mesh of a scene where it shall be placed, write it and its figures, and return it."""
    placed, said = place(scene, placement, originals.photos)
    made = object_mesh(placed, originals, options, progress)
    back = _scene_from_placed(scene.cameras, placed.cameras)
    written = write_mesh(out, made.mesh, upright=placement.frame == "object", scene_from_mesh=back)
    figures = {**made.figures, "bytes": {path.name: path.stat().st_size for path in written}}
    write_whole(out.with_suffix(".json"), (json.dumps(figures, indent=1) + "\n").encode())
    return MadeMesh(made.mesh, (*said, *made.notices), figures)


def mesh_of(scene: Scene, sources: Sequence[PhotoSource], out: Path, progress: Progress) -> MadeMesh:
    """Make the mesh of a scene as it is usually wanted, upright and with a texture, and write it."""
    originals, _ = originals_of(scene, sources)
    return meshed(scene, originals, Placement(frame="object"), ObjectMeshOptions(), out, progress)


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


def _scene_from_placed(scene: Cameras, placed: Cameras) -> np.ndarray:
    """Return the similarity (4, 4) that took a scene to its place, undone: two of its cameras tell it."""
    spread = [float(np.linalg.norm(each.centres - each.centres[0], axis=1).max()) for each in (scene, placed)]
    scale = spread[0] / spread[1]
    back = np.eye(4)
    back[:3, :3] = scene.cam_from_world[0, :3, :3].T @ placed.cam_from_world[0, :3, :3]
    back[:3, 3] = scene.centres[0] / scale - back[:3, :3] @ placed.centres[0]
    back[:3] *= scale
    return back
