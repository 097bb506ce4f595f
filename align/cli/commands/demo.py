"""pointloom demo: a rendered turntable, reconstructed with its masks, with masks that are made, and without,
and compared with its truth.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from align.cli.commands.mesh import as_text as mesh_text
from align.cli.commands.reconstruct import Reconstruct
from align.cli.console import StageDisplay, print_result
from align.cli.terminal import standard_output
from align.demo.turntable import TurntableOptions, render_turntable
from align.evaluation.camera_errors import Evaluation, as_document, evaluate, failure
from align.export.cameras_json import read_cameras
from align.export.export_scene import export_scene
from align.export.photo_sources import read_sources
from align.meshes.extra import require_mesh
from align.meshes.mesh import TexturedMesh
from align.meshes.object_mesh import MadeMesh
from align.meshes.scene_mesh import write_object_mesh
from align.objects.placement import Placement, place
from align.points import DEFAULT_MIN_CONF
from align.scene import Scene
from align.scene_folder import load_scene
from align.show.scene_sheet import write_scene_sheet
from masks.disk.whole_file import write_whole
from masks.errors import MissingExtraError, ReconstructionError
from masks.image_file import open_levels
from masks.pixelmap import image_to_target


@dataclass(frozen=True)
class Demo:
    """Render a turntable, reconstruct it with its masks, with made ones and without, and compare with the
    truth.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("demo")
    """Folder for photos, scenes, scene.glb (upright), object.glb (its mesh), splats (for trainers of Gaussian
    splats), contact_sheet.png and report.json."""
    turntable: TurntableOptions = field(default_factory=TurntableOptions)

    def run(self) -> None:
        """Render, reconstruct three times, evaluate, and print the table."""
        started = time.perf_counter()
        with StageDisplay() as display:
            render_turntable(self.out, self.turntable, display)
        seconds: dict[str, Any] = {"rendering": display.seconds}
        runs: dict[str, _Run] = {}
        for name, masks in (
            ("masked", str(self.out / "masks")),
            ("made", "make"),
            ("unmasked", "none"),
        ):
            print_result(
                f"\n{name}: pointloom reconstruct {self.out / 'images'} --masks {masks} --out "
                f"{self.out / name}"
            )
            runs[name] = _reconstruct(self.out, name, masks)
            seconds[name] = runs[name].seconds
        scene = load_scene(self.out / "masked")
        upright, _ = place(scene, Placement(frame="object"), {})
        export_scene(upright, self.out / "scene.glb", "glb", frame="object", overwrite=True)
        print_result(f"\npointloom export {self.out / 'masked'} --format splats --out {self.out / 'splats'}")
        sources = read_sources(self.out / "masked")
        export_scene(scene, self.out / "splats", "splats", sources, overwrite=True)
        mesh = _mesh(scene, self.out, seconds)
        write_scene_sheet(
            upright,
            self.out / "contact_sheet.png",
            DEFAULT_MIN_CONF,
            "pointloom demo: a coffee pot on a turntable, with masks",
            mesh.mesh if mesh and isinstance(mesh.mesh, TexturedMesh) else None,
        )
        seconds["total"] = time.perf_counter() - started
        document = {name: as_document(run.evaluation) for name, run in runs.items()} | {"seconds": seconds}
        document |= {"mesh": dict(mesh.figures)} if mesh else {}
        document["errors"] = {name: run.error for name, run in runs.items() if run.error}
        write_whole(self.out / "report.json", (json.dumps(document, indent=1) + "\n").encode())
        _print_table(runs)
        print_result(
            f"\nLook at {self.out / 'contact_sheet.png'}, open {self.out / 'scene.glb'} and "
            f"{self.out / 'object.glb'} in any 3D viewer, and give {self.out / 'splats'} to a trainer of "
            "Gaussian splats."
        )


@dataclass(frozen=True)
class _Run:
    evaluation: Evaluation
    seconds: dict[str, float]
    on_object: float | None
    """Share of the exported points that lie on the object, by the true masks."""
    error: str


def _reconstruct(folder: Path, name: str, masks: str) -> _Run:
    """Run the pipeline that `pointloom reconstruct` runs, and compare the scene with the truth; a loud
    failure is
    a result too.
    """
    truth = read_cameras(folder / "cameras.json")
    display = StageDisplay()
    try:
        Reconstruct(images=(folder / "images",), out=folder / name, masks=masks).run_with(display)
    except ReconstructionError as error:
        return _Run(failure(len(truth)), display.seconds, None, str(error))
    scene = load_scene(folder / name)
    return _Run(evaluate(scene, truth), display.seconds, _on_object(scene, folder / "masks"), "")


def _mesh(scene: Scene, folder: Path, seconds: dict[str, Any]) -> MadeMesh | None:
    """Make the mesh that `pointloom mesh` makes; none where its extra is not installed, which is said."""
    print_result(f"\npointloom mesh {folder / 'masked'} --out {folder / 'object.glb'}")
    try:
        require_mesh()
    except MissingExtraError as error:
        print_result(str(error))
        return None
    display = StageDisplay()
    with display:
        made = write_object_mesh(
            scene, folder / "object.glb", read_sources(folder / "masked"), overwrite=True, progress=display
        )
    seconds["mesh"] = display.seconds
    display.show(made.notices)
    print_result(mesh_text(made.figures, folder / "object.glb"))
    return made


def _on_object(scene: Scene, masks: Path) -> float:
    """Return which share of a scene's exported points stands on pixels of the true masks."""
    shown = [view.mask & (view.conf >= DEFAULT_MIN_CONF) for view in scene.views]
    true = [image_to_target(view.pixel_map, open_levels(masks / view.name) > 127) for view in scene.views]
    return sum(int((s & t).sum()) for s, t in zip(shown, true)) / max(1, sum(int(s.sum()) for s in shown))


def _print_table(runs: dict[str, _Run]) -> None:
    table = Table(title="What masks buy")
    table.add_column("")
    for name in runs:
        table.add_column(name, justify="right")
    found = [run.evaluation for run in runs.values()]
    table.add_row("views registered", *(f"{e.registered} of {e.views}" for e in found))
    table.add_row("RRA@5, RTA@5", *(f"{e.rra['5']:.1f} %, {e.rta['5']:.1f} %" for e in found))
    table.add_row("AUC@30", *(f"{e.auc['30']:.1f} %" for e in found))
    table.add_row(
        "rotation error, median / max",
        *(_pair(e.rotation_error_deg["median"], e.rotation_error_deg["max"]) for e in found),
    )
    table.add_row("camera centres (ATE)", *("-" if e.ate is None else f"{100 * e.ate:.2f} %" for e in found))
    table.add_row(
        "focal error", *("-" if e.focal_error is None else f"{100 * e.focal_error:.2f} %" for e in found)
    )
    table.add_row(
        "points that are the object",
        *("-" if run.on_object is None else f"{100 * run.on_object:.1f} %" for run in runs.values()),
    )
    table.add_row("seconds", *(f"{sum(run.seconds.values()):.0f}" for run in runs.values()))
    with standard_output():
        Console().print(table)
    for name, run in runs.items():
        if run.error:
            print_result(f"{name}: {run.error}")


def _pair(median: float | None, largest: float | None) -> str:
    return "-" if median is None or largest is None else f"{median:.3f} / {largest:.3f} deg"
