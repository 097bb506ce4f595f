"""Which points of a scene a new photo shows, and where.

The photo's features are compared with those of the scene's views that resemble it; a view's feature lies on a
point of the surface, so every match says where the photo sees a known point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from align.localise.by_features.scene_features import SceneFeatures
from align.scene import Scene
from masks.pixelmap import to_source
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.candidates import largest_features
from pairs.backends.classical.sfm.features import Features, comparable, features_of
from pairs.backends.classical.sfm.matching import merge_doubles, mutual_matches
from pairs.backends.classical.sfm.word_similarity import Vocabulary, similarity_to, vocabulary
from pairs.backends.classical.sfm.working_image import working_map
from pairs.views.view import View

_STILL_IN = 2
"""Views of the scene in which a feature of an unmasked photo lies where it lies in the photo: more than one
is a backdrop that stands still with the camera; one alone may be the same photo under another name."""


@dataclass(frozen=True, slots=True)
class SceneMatches:
    """Places of a photo and the points that they show."""

    num_features: int
    """Features of the photo."""
    feature: np.ndarray  # (M,) int, the photo's feature: one may match several views
    pixels: np.ndarray  # (M, 2), upright photo
    view: np.ndarray  # (M,) int, which view of the scene it was matched with
    points: np.ndarray  # (M, 3), world


_BY_MATCH = ("feature", "pixels", "view", "points")


def scene_vocabulary(known: Sequence[SceneFeatures]) -> Vocabulary:
    """Return the visual words of the scene's views, by which similar ones are found."""
    return vocabulary([largest_features(each.features)[1] for each in known])


def photo_features(view: View, options: SolveOptions) -> Features:
    """Return the features of a photo, inside its mask; `xy` in pixels of the upright photo."""
    features = features_of(view, options)
    working = working_map(view, options.working_longest)
    xy = to_source(working, features.xy).astype(np.float32)
    return replace(features, xy=xy, size=features.size / np.float32(working.scale[0]))


def mirrored(features: Features, width: int) -> Features:
    """Return the features of a photo of so many pixels as they would be in its mirror image.

    A descriptor counts gradients by 4 rows, 4 columns and 8 directions, in a frame whose x axis is the
    feature's own orientation. A mirror changes the side of that axis: rows and directions change their order.
    """
    xy = features.xy.copy()
    xy[:, 0] = width - 1 - xy[:, 0]
    bins = features.descriptors.reshape(-1, 4, 4, 8)[:, ::-1, :, -np.arange(8)]
    return replace(features, xy=xy, descriptors=np.ascontiguousarray(bins).reshape(-1, 128))


def match_scene(
    view: View,
    features: Features,
    scene: Scene,
    known: Sequence[SceneFeatures],
    words: Vocabulary,
    candidates: int,
    options: SolveOptions,
) -> SceneMatches:
    """Match a photo's features with those of the `candidates` views of the scene that share most visual words
    with it.
    """
    likeness = similarity_to(words, largest_features(features)[1])
    chosen = [known[k] for k in np.argsort(-likeness, kind="stable")[:candidates]]
    pixels, descriptors = features.xy.astype(np.float64), comparable(features.descriptors)
    found = {
        (0, k): mutual_matches(descriptors, comparable(each.features.descriptors), options.ratio)
        for k, each in enumerate(chosen, 1)
    }
    found = merge_doubles([pixels, *(each.features.xy for each in chosen)], found)
    parts = [
        SceneMatches(
            len(features), m[:, 0], pixels[m[:, 0]], np.full(len(m), each.view), each.points[m[:, 1]]
        )
        for each, m in zip(chosen, found.values())
    ]
    if view.mask is None:
        places = [each.features.xy[m[:, 1]] for each, m in zip(chosen, found.values())]
        parts = _moving(view, scene, parts, places, options.stationary_px)
    return SceneMatches(
        len(features),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in _BY_MATCH),
    )


def _moving(
    view: View,
    scene: Scene,
    parts: Sequence[SceneMatches],
    places: Sequence[np.ndarray],
    stationary_px: float,
) -> list[SceneMatches]:
    """Return the matches with each view without those of features that stand still with the camera; `places`
    (M, 2) are on the grids of the views.
    """
    times = np.zeros(parts[0].num_features if parts else 0, int)
    for part, xy in zip(parts, places):
        if len(xy) == 0:
            continue
        grid = scene.views[part.view[0]].pixel_map.ideal()
        if grid.upright_size != view.photo_size:
            continue
        # A feature that was found on the grid is as exact as the grid's pixels are small.
        limit = stationary_px / min(1.0, *grid.scale)
        still = np.linalg.norm(to_source(grid, xy) - part.pixels, axis=1) < limit
        times[np.unique(part.feature[still])] += 1
    return [_chosen(part, times[part.feature] < _STILL_IN) for part in parts]


def _chosen(matches: SceneMatches, rows: np.ndarray) -> SceneMatches:
    return SceneMatches(matches.num_features, *(getattr(matches, name)[rows] for name in _BY_MATCH))
