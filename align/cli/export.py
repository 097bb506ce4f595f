"""pointloom export: a scene as a file for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from align.cli.console import print_result
from align.export.formats import EXPORTERS, ExportOptions
from align.points import DEFAULT_MIN_CONF
from align.scene_folder import load_scene
from masks.errors import UserError


@dataclass(frozen=True)
class Export:
    """Write a scene as a file: glb (points and cameras), ply (points), cameras (cameras.json)."""

    scene: Annotated[Path, tyro.conf.Positional]
    """Folder of the scene."""
    format: Annotated[str, tyro.conf.arg(metavar="glb|ply|cameras")]
    """What to write."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """The file to write."""
    min_conf: float = DEFAULT_MIN_CONF
    """Points with a lower confidence are left out."""

    def run(self) -> None:
        """Load, export, and say where the file is."""
        if self.format not in EXPORTERS:
            raise UserError(f"--format {self.format}: unknown. Choose one of {', '.join(EXPORTERS)}.")
        EXPORTERS[self.format](load_scene(self.scene), self.out, ExportOptions(self.min_conf))
        print_result(f"written: {self.out}")
