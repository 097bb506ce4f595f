"""pointloom evaluate: a scene against true cameras, and its mesh against the true surface."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from align.cli.console import print_result
from align.evaluation.camera_errors import Evaluation, as_document, evaluate, true_from_scene
from align.export.cameras_json import read_cameras
from align.meshes.mesh_errors import MeshErrors, mesh_errors, read_mesh
from align.scene_folder import load_scene
from masks.disk.whole_file import write_whole
from masks.errors import UserError


@dataclass(frozen=True)
class Evaluate:
    """Compare a scene's cameras with true ones, and its mesh with the true surface."""

    scene: Annotated[Path, tyro.conf.Positional]
    """Folder of the scene."""
    cameras: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """True cameras: a cameras.json."""
    mesh: Annotated[Path | None, tyro.conf.arg(metavar="TRUTH")] = None
    """The true surface, in the world of the true cameras (GLB, OBJ, PLY, STL): what is compared with it is
    the mesh that `pointloom mesh` or `pointloom reconstruct --mesh` made of the scene."""
    object: Annotated[Path | None, tyro.conf.arg(metavar="FILE.glb")] = None
    """That mesh; default: SCENE/object.glb."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the figures here as well."""

    def run(self) -> None:
        """Evaluate, print, and write the figures."""
        scene, truth = load_scene(self.scene), read_cameras(self.cameras)
        evaluation = evaluate(scene, truth)
        document, lines = as_document(evaluation), as_text(evaluation)
        if self.mesh is not None:
            errors = self._mesh_errors(self.mesh, true_from_scene(scene, truth))
            document |= {"mesh": asdict(errors) | {"f_score": errors.f_score}}
            lines += "\n" + mesh_text(errors)
        if self.json is not None:
            write_whole(self.json, (json.dumps(document, indent=1) + "\n").encode())
        print_result(lines)

    def _mesh_errors(self, truth: Path, true_from_scene: np.ndarray) -> MeshErrors:
        path = self.object or self.scene / "object.glb"
        if not path.exists():
            raise UserError(
                f"{path}: there is no mesh of the scene. Make one: pointloom mesh {self.scene} --out {path}"
            )
        mesh, scene_from_mesh = read_mesh(path)
        return mesh_errors(mesh, read_mesh(truth)[0], true_from_scene @ scene_from_mesh)


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


def mesh_text(errors: MeshErrors) -> str:
    """Return the figures of a mesh as lines for a terminal."""
    side = errors.longest_side
    rows = (
        ("accuracy", errors.accuracy_median, errors.accuracy_95),
        ("completeness", errors.completeness_median, errors.completeness_95),
    )
    lines = [
        f"mesh, {name:<15} {median:.4g} median, {most:.4g} at 95 % "
        f"({100 * median / side:.3f}, {100 * most / side:.3f} % of the longest side)"
        for name, median, most in rows
    ]
    shares = f"precision {100 * errors.precision:.2f} %, recall {100 * errors.recall:.2f} %"
    lines.append(
        f"mesh, F-score         {100 * errors.f_score:.2f} % within {errors.tolerance:.4g} ({shares})"
    )
    return "\n".join(lines)
