"""VGGT's three modes as backends: all photos together, the same with tracks to refine it, and photos two at a
time.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import networkx

from masks.errors import GraphError, UserError
from masks.notice import Notice, first_few, info, warning
from masks.progress import Progress
from pairs.backends.network_options import chosen_engine
from pairs.backends.pairwise import PairwiseBackend, pairs_of
from pairs.backends.protocol import BackendKind
from pairs.backends.vggt.group_pass import Grouped, MaxFrames, parse_max_frames, predict_group
from pairs.backends.vggt.model_spec import GROUP_HEADS, TRACK_HEADS, VggtSpec, chosen_spec
from pairs.backends.vggt.pair_model import on_own_grid, open_pair_model
from pairs.backends.vggt.track_matches import TrackOptions, matches_of_pairs, nearest_camera, strongest_pairs
from pairs.backends.vggt.track_pass import follow_all
from pairs.backends.work import Work
from pairs.engines.processes import Processes
from pairs.graph.scene_graphs import Edges
from pairs.prediction.from_group import pair_from_group
from pairs.prediction.predictions import NO_MATCHES, GroupPrediction, Matches, PairEntry, Predictions
from pairs.prediction.store import PredictionStore
from pairs.views.view import View, grid_mask


@dataclass(frozen=True, slots=True)
class VggtGroupOptions:
    """What can be chosen about `vggt` and `vggt-tracks` by name. What is none is the backend's choice."""

    weights: str | Path | None = None
    """A `.pt` or `.safetensors` file, a Hugging Face folder, or the name of a published checkpoint."""
    device: str | None = None
    """Where it runs: cpu, cuda, cuda:1, mps."""
    precision: str | None = None
    """Of the aggregator: float32, bfloat16, float16."""
    fill: str | None = None
    """What stands behind the object when the network looks, by the names of `masks.fill`."""
    max_frames: str = "auto"
    """Photos that it looks at in one pass: auto, all, or a number."""


@dataclass(frozen=True, slots=True)
class VggtPairsOptions:
    """What can be chosen about `vggt-pairs` by name: as `VggtGroupOptions`, photos two at a time."""

    weights: str | Path | None = None
    device: str | None = None
    precision: str | None = None
    fill: str | None = None
    engine: str = "process"
    """Where pairs are predicted: process (this one), or ray."""


def make_vggt(options: VggtGroupOptions | None = None, seed: int = 0) -> VggtGroup:
    """Return the one-pass mode: cameras and depth of all photos in one pass, as they are. Nothing in it is
    drawn
    at random.
    """
    chosen = options or VggtGroupOptions()
    return VggtGroup(chosen_spec(chosen), parse_max_frames(chosen.max_frames))


def make_vggt_tracks(options: VggtGroupOptions | None = None, seed: int = 0) -> VggtTracks:
    """Return the tracking mode: the same, and points followed through the photos, by which an aligner makes
    it
    better.
    """
    chosen = options or VggtGroupOptions()
    spec = chosen_spec(chosen)
    if spec.config.track is None:
        raise UserError(
            f"{spec.path}: a network without a track head follows no points. Use `backend=vggt`, or "
            "weights with it."
        )
    return VggtTracks(spec, parse_max_frames(chosen.max_frames))


def make_vggt_pairs(options: VggtPairsOptions | None = None, seed: int = 0) -> PairwiseBackend:
    """Return the pairwise mode: photos two at a time and in both orders, as pair networks look at them."""
    chosen = options or VggtPairsOptions()
    spec = chosen_spec(chosen)
    return PairwiseBackend(
        key=spec.key("vggt-pairs"),
        fixed_grid=spec.fixed_grid,
        to_grid=functools.partial(on_own_grid, spec=spec),
        open_model=functools.partial(open_pair_model, spec),
        engine=chosen_engine(chosen.engine, spec.device),
    )


VGGT = BackendKind(VggtGroupOptions, make_vggt)
VGGT_TRACKS = BackendKind(VggtGroupOptions, make_vggt_tracks)
VGGT_PAIRS = BackendKind(VggtPairsOptions, make_vggt_pairs)


@dataclass(frozen=True, slots=True)
class VggtGroup:
    """Looks at all photos together and hands on what it sees: there is nothing to align."""

    spec: VggtSpec
    max_frames: MaxFrames = field(default_factory=MaxFrames)

    @property
    def key(self) -> str:
        """Name, version and options in one line."""
        return f"{self.spec.key('vggt')} {self.max_frames}"

    @property
    def fixed_grid(self) -> str:
        """In words the grid that it predicts on."""
        return self.spec.fixed_grid

    def predict(
        self, views: Sequence[View], graph: networkx.Graph | None, store: PredictionStore, progress: Progress
    ) -> Predictions:
        """Predict cameras and depth of all views. Raises `UserError` when pairs are asked for, or the memory
        does not suffice.
        """
        if graph is not None:
            raise UserError(
                "the backend vggt looks at all photos together, not at pairs. Omit `graph`, or use "
                "`backend=vggt-tracks` or vggt-pairs."
            )
        with Processes(1).start() as workers:
            found = predict_group(views, self.max_frames, self.spec, Work(store, workers, progress))
        text = (
            "the cameras are as the network sees them. `backend=vggt-tracks` refines them by points that "
            "it follows through the photos."
        )
        notices = (*found.notices, info("cameras", text))
        return Predictions(found.views, (), _no_pair, found.group.cameras, notices, "network", found.group)


@dataclass(frozen=True, slots=True)
class VggtTracks:
    """Looks at all photos together, follows points through them, and hands on pairs with the matches that
    these are.
    """

    spec: VggtSpec
    max_frames: MaxFrames = field(default_factory=MaxFrames)
    tracks: TrackOptions = field(default_factory=TrackOptions)

    @property
    def key(self) -> str:
        """Name, version and options in one line."""
        return f"{self.spec.key('vggt-tracks')} {self.max_frames} {self.tracks}"

    @property
    def fixed_grid(self) -> str:
        """In words the grid that it predicts on."""
        return self.spec.fixed_grid

    def predict(
        self, views: Sequence[View], graph: networkx.Graph | None, store: PredictionStore, progress: Progress
    ) -> Predictions:
        """Predict pairs of one world, with the network's cameras as a start. Without a graph: the pairs that
        share the most points.

        Raises `UserError` when the memory does not suffice, `GraphError` when no two views share enough
        points.
        """
        with Processes(1).start() as workers:
            work = Work(store, workers, progress)
            found = predict_group(views, self.max_frames, self.spec, work, GROUP_HEADS | TRACK_HEADS)
            tracks = follow_all(found, self.tracks, self.spec, work)
        masks = [grid_mask(view) for view in found.views]
        matches = matches_of_pairs(tracks, found.group, masks, self.tracks)
        edges = (
            strongest_pairs(matches, len(found.views), self.tracks.partners)
            if graph is None
            else pairs_of(graph)
        )
        if not any(edge in matches for edge in edges):
            raise GraphError(
                f"the network followed no {self.tracks.least_matches} points from one photo to another. "
                "Use photos in smaller steps, or "
                "`backend=vggt` for its cameras as they are."
            )
        edges, notices = with_loose_views(found, edges)
        load = functools.partial(_cut_out, found.group, edges, matches)
        return Predictions(
            found.views, edges, load, found.group.cameras, (*found.notices, *notices), "network", found.group
        )


def with_loose_views(found: Grouped, edges: Edges) -> tuple[Edges, tuple[Notice, ...]]:
    """Return the pairs with one more for every view that is in none, with the view whose camera is nearest,
    and a warning about such views.
    """
    tied = {view for edge in edges for view in edge}
    loose = [view for view in range(len(found.views)) if view not in tied]
    if not loose:
        return edges, ()
    # Without a pair a view would be dropped; with one, its camera from the network is kept, and the warning
    # says that nothing refined it.
    added = {
        (min(pair), max(pair))
        for pair in ((view, nearest_camera(found.group.cameras, view)) for view in loose)
    }
    names = first_few([found.views[view].name for view in loose])
    text = (
        f"{names}: too few points were followed to other photos, so nothing could refine their cameras. "
        "They stay where the network sees them."
    )
    return tuple(sorted({*edges, *added})), (warning("tracks", text),)


def _cut_out(
    group: GroupPrediction, edges: Edges, matches: dict[tuple[int, int], Matches], number: int
) -> PairEntry:
    a, b = edges[number]
    return pair_from_group(group, a, b, matches.get((a, b), NO_MATCHES))


def _no_pair(number: int) -> PairEntry:
    raise IndexError(f"pair {number} of none")
