"""pointloom align: predictions of another program in, a scene out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from align.cli.console import StageDisplay, print_result, require_writable, summary
from align.presets import preset_named
from align.scene import save_scene
from align.sparse.align import sparse_align
from pairs.prediction_folder import read_predictions


@dataclass(frozen=True)
class Align:
    """Align a folder of pair predictions: views.json and pairs/A--B.safetensors (see docs/formats.md)."""

    folder: Annotated[Path, tyro.conf.Positional]
    """The folder of predictions."""
    out: Annotated[Path, tyro.conf.arg(metavar="SCENE")]
    """Folder of the scene to write."""
    preset: str = "pointloom"
    """Settings of the aligner: pointloom, or the reference's (mast3r, ...)."""

    def run(self) -> None:
        """Align, save, and print what came out."""
        preset = preset_named(self.preset)
        require_writable(self.out, "--out")
        with StageDisplay() as display:
            display("reading predictions", 0, 1)
            predictions = read_predictions(self.folder)
            scene = sparse_align(predictions, preset, display)
            display("saving", 0, 1)
            save_scene(scene, self.out)
        display.show(scene.report.notices)
        print_result(summary(scene, self.out))
