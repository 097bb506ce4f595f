"""The whole pipeline: photos and masks in, a scene out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import networkx
import numpy as np

from align.depth_maps.plain_backdrop import without_plain_backdrop
from align.global_alignment import align_predictions
from align.group_scene import group_scene
from align.imports.known_poses import explained_by, read_known_poses, with_bench_poses
from align.imports.sidecars import BenchPoses
from align.made_masks.reconstructed import MaskedPhotos, with_made_masks
from align.made_masks.second_pass import with_second_pass
from align.measurements.known_cameras import states_poses
from align.meshes.extra import require_mesh
from align.objects.turntable import with_turntable
from align.presets import PRESETS, Preset, preset_named, with_fixed_poses
from align.scene import Report, Scene
from masks.errors import UserError
from masks.files import GivenPhotos, given_photos, list_photos
from masks.mask import Mask
from masks.notice import Notice, warning
from masks.progress import Progress, silent
from pairs.backends.protocol import Backend, HeedsPoses, SimilarityBackend
from pairs.backends.registry import make_backend
from pairs.graph.by_similarity import Retrieval
from pairs.graph.scene_graphs import SceneGraph, parse_graph
from pairs.prediction.predictions import Predictions
from pairs.prediction.store import PredictionStore, user_store_folder
from pairs.views.grid import Cropping, GridOptions
from pairs.views.imported_camera import ImportedCameras
from pairs.views.load import LoadOptions, load_views
from pairs.views.view import View, grid_K

_WORDS = ("auto", "make", "none")
"""What `masks` may be beside a folder and masks."""


def reconstruct(
    photos: Sequence[Path | str] | Path | str,
    masks: Path | str | Sequence[Mask] = "auto",
    *,
    backend: str | Backend = "classical",
    graph: str | SceneGraph | None = None,
    preset: str | Preset = "pointloom",
    load: LoadOptions | None = None,
    known_poses: Path | str | None = None,
    poses: Literal["soft", "frozen"] | None = None,
    made_masks: Path | str | None = None,
    second_pass: bool = False,
    store: Path | str | None = None,
    progress: Progress = silent,
) -> Scene:
    """Return the scene that photos show: cameras, depth and confidence of every view that could be placed.

    `photos` is a folder, or the files in the order in which they were taken. `masks` is a folder of masks, or
    one `masks.Mask` for each upright photo; "auto": those beside the photos or in their alpha channels, and
    where there are none and the object turned before a backdrop that stands still, masks are made; "make":
    they are made, by the first road that is sure (docs/made_masks.md); "none": everything counts. Masks that
    are made are written to the folder `made_masks`, with a sheet to look at (none: nowhere).

    `backend` says what looks at the photos: a name, or what `pairs.make_backend` returns. `graph` says which
    pairs are aligned: an object such as `pairs.Window(3)`, or its text ("window:3"); none: the backend
    chooses. `preset` is a name of `align.PRESETS`, or a `Preset`. `load` says on which grid photos and masks
    are read, and what is known of their cameras.

    `known_poses` names poses of all photos or some (docs/known_poses.md): a COLMAP model, a transforms.json,
    a cameras.json, a poses_bounds.npy, or "sidecars" beside the photos. `poses` says what becomes of poses,
    these or the backend's: "frozen" keeps them to the bit, "soft" improves them; none: known ones are frozen,
    the backend's as the preset says.

    Finished steps are kept in the folder `store` (none: one of the user's cache): the same call goes on where
    a killed one stopped, and gives the same bytes. What was decided, doubted or left out is in the scene's
    report. Raises `masks.UserError` and its kin, naming the file and the remedy, when the input is not
    enough.

    `second_pass` makes the closed surface of the object (extra mesh), puts its silhouettes in the place of
    the masks that do not fit it, and makes the scene again; the masks are written to the folder `mended`
    inside `made_masks`.
    """
    if second_pass:
        require_mesh()
    backend = make_backend(backend) if isinstance(backend, str) else backend
    preset = preset_named(preset) if isinstance(preset, str) else preset
    graph = parse_graph(graph) if isinstance(graph, str) else graph
    load = _on_the_grid_of(backend, load or LoadOptions())
    if poses == "frozen" or (poses is None and known_poses is not None):
        preset = with_fixed_poses(preset)
    # Before anybody is called who may change the current folder: photos are read and results kept until the
    # end.
    given = [Path(path).absolute() for path in ([photos] if isinstance(photos, (str, Path)) else photos)]
    if isinstance(masks, (str, Path)) and masks not in _WORDS:
        masks = Path(masks).absolute()
    folder = None if made_masks is None else Path(made_masks).absolute()
    kept = PredictionStore(user_store_folder() if store is None else Path(store))
    kept.sweep()
    paths = list_photos(given)
    known = None if known_poses is None else read_known_poses(known_poses, paths)
    begun = MaskedPhotos(masks, backend)
    if masks in ("make", "auto"):
        how = "make" if masks == "make" else "auto"
        begun = with_made_masks(paths, how, load, backend, kept.folder, folder, progress)
    backend = begun.backend
    if known is not None and isinstance(backend, HeedsPoses):
        prior = preset.aligner.pose_prior
        backend = backend.with_poses(fixed=prior is not None and prior.fixed)
    if isinstance(known, ImportedCameras):
        load = replace(load, known_poses=known)
    progress("reading photos and masks", 0, 1)
    # Only now: a folder of masks among the photos is used when they were made.
    used = folder if begun.figures else masks
    found = given_photos(given, [used] if isinstance(used, Path) else [])

    settled = _Settled(found, known, graph, backend, preset, kept, progress)
    views, scene = settled.solved(paths, begun.masks, load)
    if second_pass:
        # What was eroded once is not eroded once more.
        again = replace(load, erode_px=0)
        mended = folder and folder / "mended"
        scene = with_second_pass(
            scene, views, lambda own, masks: settled.solved(own, masks, again)[1], mended, progress
        )
    return begun.reported(scene)


@dataclass(frozen=True, slots=True)
class _Settled:
    """What a reconstruction works with, whatever its masks."""

    given: GivenPhotos
    known: ImportedCameras | Sequence[BenchPoses] | None
    graph: SceneGraph | None
    backend: Backend
    preset: Preset
    kept: PredictionStore
    progress: Progress

    def solved(
        self, photos: Sequence[Path], masks: Path | str | Sequence[Mask], load: LoadOptions
    ) -> tuple[Sequence[View], Scene]:
        """Return the views of photos with these masks, and their scene."""
        views, notices = load_views(photos, masks, load)
        if self.known is not None and not isinstance(self.known, ImportedCameras):
            views, said = with_bench_poses(views, self.known, self.kept, self.progress)
            notices = (*notices, *said)
        with explained_by(self.known):
            return views, self._scene(views, (*self.given.notices, *notices))

    def _scene(self, views: Sequence[View], notices: Sequence[Notice]) -> Scene:
        edges = _edges(self.graph, self.backend, views, self.kept, self.progress)
        predictions = self.backend.predict(views, edges, self.kept, self.progress)
        if _leaves_nothing_to_align(predictions):
            if states_poses(predictions):
                raise UserError(
                    "`known_poses`: this backend takes its own cameras as they are. Choose another one, such "
                    "as classical or vggt-pairs."
                )
            scene = group_scene(predictions, self.preset.depth, self.progress)
        else:
            scene = align_predictions(predictions, self.preset, self.progress)
        if all(view.mask is None for view in views):
            scene = without_plain_backdrop(scene)
        unheard = _not_heard(self.preset, predictions)
        report = Report((*notices, *scene.report.notices, *unheard), scene.report.figures)
        return with_turntable(replace(scene, inputs=self.given.names, report=report))


def _on_the_grid_of(backend: Backend, load: LoadOptions) -> LoadOptions:
    """Return how photos are read for a backend that may have a grid of its own."""
    if backend.fixed_grid is None:
        return load
    whole = GridOptions(crop=Cropping.OFF)
    if load.grid not in (whole, GridOptions()):
        raise UserError(f"`grid={load.grid}`: this backend predicts on {backend.fixed_grid}. Omit it.")
    return replace(load, grid=whole)


def _leaves_nothing_to_align(predictions: Predictions) -> bool:
    return predictions.group is not None and not predictions.edges


def _not_heard(preset: Preset, predictions: Predictions) -> tuple[Notice, ...]:
    """Return warnings when a preset was chosen, or intrinsics stated, that could change nothing."""
    return (*_preset_not_heard(preset, predictions), *_intrinsics_not_heard(predictions))


def _intrinsics_not_heard(predictions: Predictions) -> tuple[Notice, ...]:
    if not _leaves_nothing_to_align(predictions) or predictions.group is None:
        return ()
    stated = [(grid_K(view), K) for view, K in zip(predictions.views, predictions.group.cameras.K)]
    if all(own is None or np.allclose(own, K) for own, K in stated):
        return ()
    text = (
        "its K is not used: nothing was aligned, since the cameras of this backend are taken as they are. "
        "Only the distortion is undone. Choose another backend, such as vggt-tracks."
    )
    return (warning("calibration", text),)


def _preset_not_heard(preset: Preset, predictions: Predictions) -> tuple[Notice, ...]:
    if _leaves_nothing_to_align(predictions) and replace(preset, depth=None) != PRESETS["pointloom"]:
        return (
            warning(
                "preset",
                (
                    "not used: nothing was aligned, since the cameras of this backend are taken as they are. "
                    "Choose another backend."
                ),
            ),
        )
    prior = preset.aligner.pose_prior
    if prior is not None and prior.fixed and predictions.cameras is None:
        return (
            warning(
                "poses",
                (
                    "none were frozen: the backend predicts pairs and knows no cameras. Choose another "
                    "backend, such as vggt-tracks."
                ),
            ),
        )
    return ()


def _edges(
    graph: SceneGraph | None,
    backend: Backend,
    views: Sequence[View],
    store: PredictionStore,
    progress: Progress,
) -> networkx.Graph | None:
    """Return the graph that was asked for; one by similarity is made with what the backend says of that."""
    if isinstance(graph, Retrieval) and isinstance(backend, SimilarityBackend):
        graph = graph.with_similarity(backend.similarity(views, store, progress))
    return None if graph is None else graph.edges([view.name for view in views])
