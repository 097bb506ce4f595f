"""pointloom align: predictions of another program in, a scene out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from align.cli.console import StageDisplay, print_result, require_writable, summary
from align.presets import Preset, preset_named
from align.scene import Scene, load_scene, save_scene
from align.sparse.align import align_onto, sparse_align, sparse_align_parts
from align.sparse.refinement import GaussNewton
from masks.errors import GraphError, UserError
from pairs.prediction import Predictions
from pairs.prediction_folder import read_predictions

_SOLVERS: dict[str, Literal["adam", "gauss_newton"]] = {"adam": "adam", "gauss-newton": "gauss_newton"}
_FREE_PRINCIPAL_POINT = 0.02
"""Standard deviation of free principal points as a share of the focal."""


@dataclass(frozen=True)
class Align:
    """Align a folder of pair predictions: views.json and pairs/A--B.safetensors (see docs/formats.md)."""

    folder: Annotated[Path, tyro.conf.Positional]
    """The folder of predictions."""
    out: Annotated[Path, tyro.conf.arg(metavar="SCENE")]
    """Folder of the scene to write."""
    preset: str = "pointloom"
    """Settings of the aligner: pointloom, or the reference's (mast3r, ...)."""
    solver: Literal["preset", "adam", "gauss-newton"] = "preset"
    """How the reference's losses are minimised: adam, as the reference does, or gauss-newton, far faster. The preset pointloom has its own."""
    poses: Literal["soft", "frozen"] = "soft"
    """What is done with the poses that views.json states, of all views or of some. soft: believed as far as the next two say; frozen: they stay."""
    pose_sigma: Annotated[float, tyro.conf.arg(metavar="DEGREES")] = 1.0
    """Standard deviation of the stated rotations."""
    place_sigma: Annotated[float, tyro.conf.arg(metavar="SHARE")] = 0.01
    """Standard deviation of the stated camera centres, as a share of the object's distance."""
    principal_point: Literal["fixed", "free"] = "fixed"
    """Whether principal points that views.json does not state may leave the middle of the picture. For an object in the middle of all its pictures
    they can hardly be told from a turn of the camera."""
    parts: Literal["each", "largest", "error"] = "each"
    """When no matches tie all views together. each: a scene of every part, further ones in SCENE/part-2, ...; error: stop."""
    onto: Annotated[Path | None, tyro.conf.arg(metavar="SCENE")] = None
    """A finished scene to place the folder's other views in: its views, known by their names, stay as they are."""

    def run(self) -> None:
        """Align, save, and print what came out."""
        preset = self._preset()
        require_writable(self.out, "--out")
        known = load_scene(self.onto) if self.onto is not None else None
        with StageDisplay() as display:
            display("reading predictions", 0, 1)
            predictions = read_predictions(self.folder)
            scenes = (align_onto(known, predictions, preset, display),) if known is not None else self._aligned(predictions, preset, display)
            display("saving", 0, 1)
            for scene, folder in zip(scenes, self._folders(len(scenes))):
                save_scene(scene, folder)
        display.show(scenes[0].report.notices)
        for scene, folder in zip(scenes, self._folders(len(scenes))):
            print_result(summary(scene, folder))

    def _preset(self) -> Preset:
        preset = preset_named(self.preset)
        if not (self.pose_sigma > 0 and self.place_sigma > 0):
            raise UserError("--pose-sigma and --place-sigma must be above 0. To hold stated poses use --poses frozen.")
        if not isinstance(preset.cold, GaussNewton):
            return preset if self.solver == "preset" else replace(preset, cold=replace(preset.cold, solver=_SOLVERS[self.solver]))
        if self.solver == "adam":
            raise UserError("--solver adam: the preset pointloom does not use it. Choose one of the reference's presets, such as --preset mast3r.")
        given = {"given_rotation_sigma_deg": self.pose_sigma, "given_place_sigma": self.place_sigma, "freeze_given": self.poses == "frozen"}
        centre = _FREE_PRINCIPAL_POINT if self.principal_point == "free" else None
        return replace(preset, cold=replace(preset.cold, **given, principal_point_sigma=centre))

    def _aligned(self, predictions: Predictions, preset: Preset, display: StageDisplay) -> tuple[Scene, ...]:
        if self.parts == "each":
            return sparse_align_parts(predictions, preset, display)
        scene = sparse_align(predictions, preset, display)
        fallen_apart = [notice.text for notice in scene.report.notices if notice.subject == "parts"]
        if self.parts == "error" and fallen_apart:
            raise GraphError(fallen_apart[0])
        return (scene,)

    def _folders(self, count: int) -> list[Path]:
        return [self.out, *(self.out / f"part-{k}" for k in range(2, count + 1))]
