"""The whole pipeline: photos and masks in, a scene out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import networkx

from align.bundle.options import BundleOptions
from align.global_alignment import align_predictions
from align.group_scene import group_scene
from align.presets import PRESETS, Preset
from align.scene import Report, Scene
from masks.files import list_photos
from masks.notice import Notice, warning
from masks.progress import Progress, silent
from pairs.backends.protocol import Backend, SimilarityBackend
from pairs.backends.registry import make_backend
from pairs.graph.by_similarity import Retrieval
from pairs.graph.scene_graphs import SceneGraph
from pairs.prediction.predictions import Predictions
from pairs.prediction.store import PredictionStore
from pairs.views.load import LoadOptions, load_views
from pairs.views.view import View


@dataclass(frozen=True, slots=True)
class ReconstructOptions:
    """How photos become a scene."""

    load: LoadOptions = field(default_factory=LoadOptions)
    backend: Backend = field(default_factory=lambda: make_backend("classical", seed=0))
    graph: SceneGraph | None = None
    """Which pairs to align; none: the backend's own choice."""
    preset: Preset = field(default_factory=lambda: PRESETS["pointloom"])


def reconstruct(
    images: Sequence[Path | str] | Path | str,
    masks: Path | str | None,
    store_folder: Path | str,
    options: ReconstructOptions | None = None,
    progress: Progress = silent,
) -> Scene:
    """Return the scene that photos show.

    Finished steps are kept in `store_folder`: the same call goes on where a killed one stopped and gives the
    same bytes. Raises `UserError` and its kin naming the file and the remedy when the input is not enough.
    """
    options = options or ReconstructOptions()
    progress("reading photos and masks", 0, 1)
    photos = list_photos([Path(p) for p in ([images] if isinstance(images, (str, Path)) else images)])
    views, notices = load_views(photos, masks, options.load)
    store = PredictionStore(Path(store_folder))
    predictions = options.backend.predict(views, _pairs(options, views, store, progress), store, progress)
    scene = (
        align_predictions(predictions, options.preset, progress)
        if predictions.group is None
        else group_scene(predictions, progress)
    )
    report = Report(
        (*notices, *scene.report.notices, *_not_heard(options.preset, predictions)), scene.report.figures
    )
    return replace(scene, inputs=tuple(path.name for path in photos), report=report)


def _not_heard(preset: Preset, predictions: Predictions) -> tuple[Notice, ...]:
    """Return a warning when a preset was chosen that could change nothing."""
    if predictions.group is not None and preset != PRESETS["pointloom"]:
        return (
            warning(
                "preset",
                (
                    "not used: nothing was aligned, since the cameras of this backend are taken as they are. "
                    "Choose another backend."
                ),
            ),
        )
    freezes = isinstance(preset.from_scratch, BundleOptions) and preset.from_scratch.fix_known_poses
    if freezes and predictions.group is None and predictions.cameras is None:
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


def _pairs(
    options: ReconstructOptions, views: Sequence[View], store: PredictionStore, progress: Progress
) -> networkx.Graph | None:
    """Return the graph that was asked for; one by similarity is made with what the backend says of that."""
    graph = options.graph
    if isinstance(graph, Retrieval) and isinstance(options.backend, SimilarityBackend):
        graph = graph.with_similarity(options.backend.similarity(views, store, progress))
    return None if graph is None else graph.edges([view.name for view in views])
