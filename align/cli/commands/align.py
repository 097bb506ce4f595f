"""pointloom align: predictions of another program in, a scene out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from align.cli.console import StageDisplay, print_result, require_writable, summary
from align.global_alignment import align_components, align_connected, align_predictions, register_views
from align.group_scene import with_start
from align.measurements.known_cameras import PosePrior
from align.objects.turntable import with_turntable
from align.presets import (
    DEPTHS,
    PRESETS,
    Preset,
    has_option,
    preset_for,
    preset_named,
    with_fixed_poses,
    with_options,
    without_circles,
)
from align.scene import Scene
from align.scene_folder import load_scene, remove_parts, save_scenes
from masks.errors import StatedCamerasError, UserError
from pairs.backends.precomputed import read_predictions
from pairs.prediction.predictions import Predictions

_FREE_PRINCIPAL_POINT = 0.02
"""Standard deviation of free principal points as a share of the focal."""
_OF_POSES = ("poses", "pose_sigma", "place_sigma")
_SETS = {
    "solver": "solver",
    **dict.fromkeys(_OF_POSES[1:], "pose_prior"),
    "principal_point": "principal_point_sigma",
    "turntable": "turntable",
}
"""Which option of an aligner each of the command's sets."""


def _hears(preset: Preset, name: str) -> bool:
    """Tell whether one of the command's options can change what a preset does."""
    if name == "poses":
        return preset.aligner.pose_prior is not None
    return has_option(preset, _SETS[name])


@dataclass(frozen=True)
class Align:
    """Align a folder of pair predictions: views.json and pairs/A--B.safetensors (see docs/formats.md)."""

    folder: Annotated[Path, tyro.conf.Positional]
    """The folder of predictions."""
    out: Annotated[Path, tyro.conf.arg(metavar="SCENE")]
    """Folder of the scene to write."""
    aligner: Literal["bundle", "sparse", "dense"] | None = None
    """What aligns. bundle: ours (default); sparse: MASt3R's losses, of anchors and matches; dense: DUSt3R's,
    of all pixels of the pointmaps."""
    preset: str = "auto"
    """Settings of the aligner. auto: pointloom, mast3r or dense, by --aligner; others are the published
    ones: mast3r-function, mast3r-2024; dust3r, dust3r-demo, dust3r-modular, dust3r-pair (two views)."""
    solver: Literal["preset", "adam", "least-squares"] = "preset"
    """How the published losses are minimised: adam, as published, or least-squares, far faster. The preset
    pointloom has its own."""
    poses: Literal["soft", "frozen"] = "soft"
    """What is done with the poses that views.json states, of all views or of some. soft: believed as far as
    the next two say; frozen: they stay."""
    pose_sigma: Annotated[float, tyro.conf.arg(metavar="DEGREES")] = 1.0
    """Standard deviation of the stated rotations."""
    place_sigma: Annotated[float, tyro.conf.arg(metavar="SHARE")] = 0.01
    """Standard deviation of the stated camera centres, as a share of the object's distance."""
    principal_point: Literal["fixed", "free"] = "fixed"
    """Whether principal points that views.json does not state may leave the middle of the picture. For an
    object in the middle of all its pictures
    they can hardly be told from a turn of the camera."""
    turntable: Literal["auto", "off"] = "auto"
    """What is done with solved poses that stand on an exact circle, where views.json states none. auto: they
    are held on it, and in equal steps, as far as the matches agree; off: nothing."""
    depth: Literal["aligned", "tsdf", "matches"] = "aligned"
    """Where depths come from once the cameras stand. aligned: from the aligner; tsdf: the same, moved to
    where the surfaces of all views agree;
    matches: from triangulated matches, and no depth where there are none."""
    parts: Literal["each", "largest", "error"] = "each"
    """When no matches tie all views together. each: a scene of every part, further ones in SCENE/part-2, ...;
    largest: of that alone;
    error: stop, also for a single view."""
    start: Annotated[Path | None, tyro.conf.arg(metavar="SCENE")] = None
    """A scene of the same views to start from: its cameras, and for --aligner dense its depths."""
    onto: Annotated[Path | None, tyro.conf.arg(metavar="SCENE")] = None
    """A finished scene to place the folder's other views in: its views, known by their names, stay as they
    are."""

    def run(self) -> None:
        """Align, save, and print what came out."""
        self._refuse_unheard()
        preset = self._preset()
        require_writable(self.out, "--out")
        known = load_scene(self.onto) if self.onto is not None else None
        with StageDisplay() as display:
            display("reading predictions", 0, 1)
            predictions = read_predictions(self.folder)
            if self.start is not None:
                predictions = with_start(predictions, load_scene(self.start))
            elif (
                known is None
                and self._given(*_OF_POSES)
                and all(view.cam_from_world is None for view in predictions.views)
            ):
                raise UserError(
                    f"{self._given(*_OF_POSES)}: {self.folder / 'views.json'} states no poses. State "
                    "cam_from_world there, or omit it."
                )
            scenes = self._aligned(predictions, preset, display, known)
            if known is None:
                scenes = {folder: with_turntable(scene) for folder, scene in scenes.items()}
            display("saving", 0, 1)
            self._save(scenes)
        display.show(
            tuple(dict.fromkeys(notice for scene in scenes.values() for notice in scene.report.notices))
        )
        for folder, scene in scenes.items():
            print_result(summary(scene, folder))

    def _given(self, *names: str) -> str:
        """Return those of some options that are not as they are when omitted; nothing when all are."""
        default = {option.name: option.default for option in fields(self)}
        return ", ".join(
            f"--{name.replace('_', '-')}" for name in names if getattr(self, name) != default[name]
        )

    def _refuse_unheard(self) -> None:
        """Raise `UserError` for options that would change nothing."""
        name = preset_for(self.aligner, self.preset)
        unheard = [each for each in ("poses", *_SETS) if not _hears(preset_named(name), each)]
        if given := self._given(*unheard):
            wanted = [each for each in unheard if self._given(each)]
            others = [
                each for each, preset in PRESETS.items() if all(_hears(preset, option) for option in wanted)
            ]
            raise UserError(
                f"{given}: the preset {name} has no such choice. Those that have: --preset "
                f"{' or '.join(others)}."
            )
        if self.start is not None and self.onto is not None:
            raise UserError("--start: with --onto the scene's own cameras are the start. Omit it.")
        if self.onto is not None and (given := self._given(*_OF_POSES, "parts")):
            raise UserError(
                f"{given}: with --onto the scene's own poses stay, and one scene comes out. Omit it."
            )
        if self.poses == "frozen" and (given := self._given(*_OF_POSES[1:])):
            raise UserError(
                f"{given}: poses that stay have no standard deviation. Omit it, or --poses frozen."
            )

    def _preset(self) -> Preset:
        if not (0 < self.pose_sigma < math.inf and 0 < self.place_sigma < math.inf):
            raise UserError(
                "--pose-sigma and --place-sigma must be above 0 and finite. To hold stated poses use "
                "--poses frozen."
            )
        preset = preset_named(preset_for(self.aligner, self.preset))
        options: dict[str, Any] = {}
        if self._given("solver"):
            options["solver"] = self.solver
        if self._given(*_OF_POSES[1:]):
            options["pose_prior"] = PosePrior(self.pose_sigma, self.place_sigma)
        if self._given("principal_point"):
            options["principal_point_sigma"] = _FREE_PRINCIPAL_POINT
        preset = replace(with_options(preset, **options), depth=DEPTHS[self.depth])
        if self.turntable == "off":
            preset = without_circles(preset)
        return with_fixed_poses(preset) if self.poses == "frozen" else preset

    def _aligned(
        self, predictions: Predictions, preset: Preset, display: StageDisplay, known: Scene | None
    ) -> dict[Path, Scene]:
        """Return the scenes by the folders to save them in: a part's is numbered as in the report."""
        try:
            if known is not None:
                return {self.out: register_views(known, predictions, preset, display)}
            if self.parts == "each":
                parts = align_components(predictions, preset, display)
                return {
                    self.out if k == 1 else self.out / f"part-{k}": scene
                    for k, scene in enumerate(parts, 1)
                    if scene is not None
                }
            align = align_connected if self.parts == "error" else align_predictions
            return {self.out: align(predictions, preset, display)}
        except StatedCamerasError as error:
            raise StatedCamerasError(f"{self.folder / 'views.json'}: {error}") from error

    def _save(self, scenes: Mapping[Path, Scene]) -> None:
        """Write the scenes in the place of those of an earlier run."""
        save_scenes(scenes)
        remove_parts(self.out, keep=scenes)
