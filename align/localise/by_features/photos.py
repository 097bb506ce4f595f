"""New photos in a finished scene: found by their features, placed by the points that they show
(docs/localisation.md, "New photos in a scene").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from align.localise.by_features.placement import placed
from align.localise.by_features.placement_report import (
    Localised,
    figures_of,
    mirror_refusal,
    notices_of,
    refusal,
)
from align.localise.by_features.queries import photos_of_scene, read_queries
from align.localise.by_features.query_camera import lens_guesses, mirrored_lens
from align.localise.by_features.scene_features import SceneFeatures, scene_features
from align.localise.by_features.scene_matches import (
    SceneMatches,
    match_scene,
    mirrored,
    photo_features,
    scene_vocabulary,
)
from align.localise.known_scene import extended
from align.scene import Report, Scene, SceneView
from masks.errors import ReconstructionError
from masks.notice import Level, Notice, first_few
from masks.pixelmap import intrinsics_to_target
from masks.progress import Progress, silent
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.features import Features
from pairs.backends.classical.sfm.word_similarity import Vocabulary
from pairs.engines.processes import single_threaded
from pairs.views.cameras import Cameras
from pairs.views.grid import Cropping
from pairs.views.load import LoadOptions
from pairs.views.view import View, grid_mask

CANDIDATES = 20
"""Views of the scene that a photo is compared with; of a smaller scene, all."""
# Photos near a view of the scene: 0.34 and more (oxford_dino before the small images) to 0.9.
_SURE_SHARE = 0.5
"""Share of matched features that agree with a camera, from which on the mirror image is not tried."""
# Mirrored photos of the fountain, itself nearly symmetric, found a place with a tenth of their matches;
# turned over six times as many agree.
_MIRRORED = 2
"""So many times more features agree with the mirror image of a photo that was mirrored."""
_LEAST_TIE = 15
"""Matches that agree with a photo's camera and make a pair of it and a view of the scene: as many as verify a
pair of the embedded backend."""


def localize(
    scene: Scene,
    photos: Sequence[Path | str] | Path | str,
    masks: Path | str = "auto",
    *,
    scene_photos: Sequence[Path | str] | Path | str = (),
    candidates: int = CANDIDATES,
    load: LoadOptions | None = None,
    progress: Progress = silent,
) -> Scene:
    """Return the scene with new photos placed in it behind its own views, which stay to the bit.

    `photos` and `masks` as for `reconstruct`; one photo is enough. `scene_photos`, the photos that the scene
    was made of (a folder, or some of the files), let its views be recognised at the photos' resolution, in
    place of that of its depth maps. `candidates` of the scene's views, those that share most visual words
    with it, are compared with each photo. A photo is placed alone: whatever else is given changes nothing.

    New views have cameras, image and mask, but no depth. What each rests on, and its standard deviation, is
    in the report, and the reason for each photo that is left out: unreadable, with an empty mask, already in
    the scene, or without enough matches that agree with one camera. Raises `ReconstructionError` when none
    can be placed or the scene shows nothing to recognise it by, and `UserError` and its kin for files.
    """
    load = load or LoadOptions()
    originals = photos_of_scene(scene, scene_photos)
    progress("reading photos and masks", 0, 1)
    longest = max((max(view.pixel_map.target_size) for view in scene.views), default=load.grid.longest)
    # Whether to crop would be decided by all masks together.
    crop = Cropping.OFF if load.grid.crop is Cropping.AUTO else load.grid.crop
    grid = replace(load.grid, longest=longest, crop=crop)
    queries = read_queries(scene, photos, masks, replace(load, grid=grid))
    outcomes: list[Localised | Notice] = []
    if queries.views:
        with single_threaded():
            places = _known_places(scene, originals, candidates, progress)
            for number, view in enumerate(queries.views):
                progress("placing photos", number, len(queries.views))
                outcomes.append(_located(view, places))
            progress("placing photos", len(queries.views), len(queries.views))
    found = [outcome for outcome in outcomes if isinstance(outcome, Localised)]
    left = [
        *queries.unread,
        *(notice for notice in queries.notices if notice.level is Level.LEFT_OUT),
        *(outcome for outcome in outcomes if isinstance(outcome, Notice)),
    ]
    if not found:
        reasons = first_few([f"{notice.subject}: {notice.text}" for notice in left], " ")
        raise ReconstructionError(f"no photo could be placed in the scene. {reasons}")
    others = [notice for notice in queries.notices if notice.level is not Level.LEFT_OUT]
    grown = extended(scene, _with_new_views(scene, queries.inputs, found, others))
    # Behind what `extended` settles: that the scene has a view of this name is no old news.
    return replace(grown, report=Report((*grown.report.notices, *left), grown.report.figures))


@dataclass(frozen=True, slots=True)
class _KnownPlaces:
    """What photos are compared with."""

    scene: Scene
    features: tuple[SceneFeatures, ...]
    words: Vocabulary
    candidates: int
    options: SolveOptions


def _known_places(
    scene: Scene, photos: Mapping[str, Path], candidates: int, progress: Progress
) -> _KnownPlaces:
    options = SolveOptions()
    features = scene_features(scene, photos, options, progress)
    return _KnownPlaces(scene, features, scene_vocabulary(features), candidates, options)


def _located(view: View, places: _KnownPlaces) -> Localised | Notice:
    """Return a photo's place, or why it has none."""
    features, lenses = photo_features(view, places.options), lens_guesses(view, places.scene)
    matches = _matched(view, features, places)
    found = placed(matches, lenses)
    agreeing = 0 if found is None else found.agreeing
    if found is None or agreeing < _SURE_SHARE * found.matched:
        width = view.photo_size[0]
        turned = placed(
            _matched(view, mirrored(features, width), places), [mirrored_lens(lens) for lens in lenses]
        )
        if turned is not None and turned.believed and turned.agreeing > _MIRRORED * agreeing:
            return mirror_refusal(view, turned.agreeing, agreeing)
    if found is None or not found.believed:
        return refusal(view, matches, found, places.options)
    return Localised(view, matches, found, lenses[0].source)


def _matched(view: View, features: Features, places: _KnownPlaces) -> SceneMatches:
    return match_scene(
        view, features, places.scene, places.features, places.words, places.candidates, places.options
    )


def _with_new_views(
    scene: Scene, inputs: Sequence[str], found: Sequence[Localised], notices: Sequence[Notice]
) -> Scene:
    """Return the scene with new views, and a report about these alone."""
    first = len(scene.views)
    K = [intrinsics_to_target(each.view.grid_from_photo, each.placement.pose.K) for each in found]
    poses = [each.placement.pose.cam_from_world for each in found]
    cameras = Cameras(
        np.concatenate([scene.cameras.K, K]), np.concatenate([scene.cameras.cam_from_world, poses])
    )
    edges = [(k, first + n) for n, each in enumerate(found) for k in _tied_to(each)]
    told = [notice for each in found for notice in notices_of(each)]
    return Scene(
        (*scene.views, *(_new_view(each) for each in found)),
        cameras,
        tuple(inputs),
        tuple(edges),
        Report((*notices, *told), {"localised": [figures_of(each) for each in found]}),
    )


def _tied_to(each: Localised) -> list[int]:
    """Return the scene's views that share enough agreeing matches with a new one."""
    views, counts = np.unique(each.matches.view[each.placement.rows], return_counts=True)
    return [int(view) for view in views[counts >= _LEAST_TIE]]


def _new_view(each: Localised) -> SceneView:
    view = each.view
    unknown = np.zeros(view.image.shape[:2], np.float32)
    # Views with one camera id share intrinsics; a focal of its own makes a photo a camera of its own.
    camera = view.camera if each.placement.lens.source == "scene" else f"{view.camera} {view.name}"
    return SceneView(view.name, camera, view.pixel_map, unknown, unknown, view.image, grid_mask(view))
