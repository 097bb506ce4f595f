"""The pairs of a solved scene, cut when they are asked for
(docs/classical_backend.md, "Pairs cut from the scene").

All of them at once would take a hundred times the memory of the depth maps that they are cut from.
"""

from __future__ import annotations

from dataclasses import dataclass

from pairs.backends.classical.feature_tracks import FeatureTracks, feature_matches
from pairs.backends.classical.induced_matches import induced_matches, sure_matches
from pairs.backends.classical.keys import stage_key
from pairs.backends.work import arrays_of
from pairs.prediction.from_group import pair_from_group
from pairs.prediction.layout import laid_out
from pairs.prediction.predictions import GroupPrediction, Matches, PairEntry
from pairs.prediction.sealed_arrays import Arrays
from pairs.prediction.store import PredictionStore
from pairs.views.digest import digest

_KIND = "pair_matches"
_LAYOUT = {"xy_a": ("float64", ("M", 2)), "xy_b": ("float64", ("M", 2)), "conf": ("float64", ("M",))}


@dataclass(frozen=True, slots=True)
class PairSource:
    """What the predictions of a pair are cut from. Only matches are stored: the pointmaps of 36 views' pairs
    would fill a gigabyte.
    """

    group: GroupPrediction
    tracks: FeatureTracks
    view_keys: tuple[str, ...]
    """Digest of every view's camera, depth and confidence."""
    edges: tuple[tuple[int, int], ...]
    match_step: int
    store: PredictionStore


def pair_source(
    group: GroupPrediction,
    tracks: FeatureTracks,
    edges: tuple[tuple[int, int], ...],
    match_step: int,
    store: PredictionStore,
) -> PairSource:
    """Return the source of the pairs `edges` of a group."""
    cameras = group.cameras
    keys = tuple(digest(*parts) for parts in zip(cameras.K, cameras.cam_from_world, group.depth, group.conf))
    return PairSource(group, tracks, keys, edges, match_step, store)


def load_pair(source: PairSource, k: int) -> PairEntry:
    """Return both runs and the matches of edge number `k`."""
    a, b = source.edges[k]
    return pair_from_group(source.group, a, b, load_matches(source, k))


def load_matches(source: PairSource, k: int) -> Matches:
    """Return the matches of edge number `k`, read from the store or made and written there; empty when too
    few are sure.

    They are empty and not missing: a pair without sure matches must not get any from its pointmaps.
    """
    a, b = source.edges[k]
    features = feature_matches(source.tracks, a, b)
    key = stage_key(
        _KIND,
        source.match_step,
        source.view_keys[a],
        source.view_keys[b],
        features.xy_a,
        features.xy_b,
        features.conf,
    )
    return source.store.get_or_make(
        _KIND,
        key,
        lambda: arrays_of(sure_matches(induced_matches(source.group, a, b, source.match_step), features)),
        _matches_from_arrays,
    )


def _matches_from_arrays(arrays: Arrays) -> Matches:
    return Matches(**laid_out(arrays, _LAYOUT))
