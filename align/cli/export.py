"""pointloom export: a scene as files for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from align.cli.console import StageDisplay, print_result
from align.export.export_scene import export_scene
from align.export.formats import EXPORTERS, exporters_named
from align.export.originals import PhotoSource
from align.scene_folder import load_scene
from masks.load import Polarity
from pairs.views.load import LoadOptions


@dataclass(frozen=True)
class Export:
    """Write a scene as files that other programs open (docs/exports.md).

    glb (points and cameras), ply (points), cameras (cameras.json).
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
    """Folder of the photos that the scene was made of."""
    masks: Annotated[str, tyro.conf.arg(metavar="DIR|auto|none")] = "auto"
    """Folder of their masks. auto: beside the photos or in their alpha channels, else those of the scene,
    which are coarser."""
    mask_polarity: Polarity = Polarity.AUTO
    """Which side of a mask is the object; auto: the side that touches the border less."""
    min_conf: float | None = None
    """Points with a lower confidence are left out (1.5)."""

    def run(self) -> None:
        """Load, export, and say where the files are."""
        given = {"min_conf": self.min_conf}
        options = {name: value for name, value in given.items() if value is not None}
        chosen = exporters_named(self.format, options)
        scene = load_scene(self.scene)
        with StageDisplay() as display:
            notices = export_scene(
                scene, self.out, chosen, self._sources(), overwrite=self.overwrite, progress=display
            )
        display.show(notices)
        print_result(f"written: {self.out}")

    def _sources(self) -> list[PhotoSource]:
        if self.photos is None:
            return []
        return [PhotoSource((self.photos,), self.masks, LoadOptions(polarity=self.mask_polarity))]
