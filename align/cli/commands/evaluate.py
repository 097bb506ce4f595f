"""pointloom evaluate: a scene against true cameras."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from align.cli.console import print_result
from align.evaluation.camera_errors import Evaluation, as_document, evaluate
from align.export.cameras_json import read_cameras
from align.scene_folder import load_scene
from masks.disk.whole_file import write_whole


@dataclass(frozen=True)
class Evaluate:
    """Compare a scene's cameras with true ones."""

    scene: Annotated[Path, tyro.conf.Positional]
    """Folder of the scene."""
    cameras: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """True cameras: a cameras.json."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the figures here as well."""

    def run(self) -> None:
        """Evaluate, print, and write the figures."""
        evaluation = evaluate(load_scene(self.scene), read_cameras(self.cameras))
        if self.json is not None:
            write_evaluation(evaluation, self.json)
        print_result(as_text(evaluation))


def write_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write the figures as JSON. Raises `OutputError` when the place cannot be written."""
    write_whole(path, (json.dumps(as_document(evaluation), indent=1) + "\n").encode())


def as_text(evaluation: Evaluation) -> str:
    """Return the figures as lines for a terminal."""
    rotation = evaluation.rotation_error_deg
    lines = [f"views registered      {evaluation.registered} of {evaluation.views}"]
    for name, shares in (("RRA", evaluation.rra), ("RTA", evaluation.rta), ("AUC", evaluation.auc)):
        lines += [f"{name}@{threshold:<18}{share:6.1f} %" for threshold, share in shares.items()]
    if rotation["median"] is not None and rotation["max"] is not None:
        lines.append(
            f"rotation error        {rotation['median']:.3f} deg median, {rotation['max']:.3f} deg max"
        )
    if evaluation.ate is not None:
        lines.append(f"camera centres (ATE)  {100 * evaluation.ate:.3f} % of their spread")
    if evaluation.focal_error is not None:
        lines.append(f"focal error           {100 * evaluation.focal_error:.2f} %")
    return "\n".join(lines)
