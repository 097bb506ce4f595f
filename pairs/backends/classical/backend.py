"""The embedded backend: predictions for pairs from the photos alone, without weights
(docs/classical_backend.md, "The order of the work").
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import networkx
import numpy as np

from masks.errors import GraphError
from masks.memory import free_memory
from masks.notice import Notice, first_few, left_out, warning
from masks.progress import Progress
from pairs.backends.classical.covisibility import covisible_graph
from pairs.backends.classical.feature_tracks import as_tracks, feature_tracks
from pairs.backends.classical.ideal_views import ideal_views
from pairs.backends.classical.induced_matches import LEAST_MATCHES
from pairs.backends.classical.keys import backend_version
from pairs.backends.classical.known.solve_known import pose_distances, solve_known
from pairs.backends.classical.masked_solve import UnmaskedSolve, on_object
from pairs.backends.classical.options import DepthOptions, SolveOptions, turntable_named
from pairs.backends.classical.pair_source import PairSource, load_matches, load_pair, pair_source
from pairs.backends.classical.sfm.camera_groups import with_solved_cameras
from pairs.backends.classical.sfm.pair_features import feature_matches
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.backends.classical.solve_scene import solve_scene
from pairs.backends.classical.stereo.cost import depth_cost, require_depth_memory
from pairs.backends.classical.stereo.depth_maps import dense_group
from pairs.backends.protocol import BackendKind
from pairs.backends.work import Work
from pairs.engines.engines import Engine, engine_named
from pairs.engines.processes import Processes, default_workers
from pairs.graph.scene_graphs import Edges, tied_views
from pairs.prediction.predictions import Matches, PairEntry, Predictions
from pairs.prediction.store import PredictionStore
from pairs.views.cameras import Cameras
from pairs.views.view import View


@dataclass(frozen=True, slots=True)
class Classical:
    """Solves the cameras, measures depth against neighbouring views, and answers for every pair whose two
    views it could place.
    """

    solve: SolveOptions = field(default_factory=SolveOptions)
    depth: DepthOptions = field(default_factory=DepthOptions)
    engine: Engine = field(default_factory=Processes)
    """Where the work runs; the result does not depend on it."""
    unmasked: UnmaskedSolve | None = None
    """Cameras of the same photos without their masks, to be kept."""

    @property
    def fixed_grid(self) -> str | None:
        """None: pairs are predicted on the views' own grids."""
        return None

    @property
    def key(self) -> str:
        """Version and options in one line. The version enters every key of the store, the options those of
        the results that they can change.
        """
        said = {**asdict(self.solve), **asdict(self.depth)}
        if said["turntable"] == "auto":
            del said["turntable"]
        return f"{backend_version()} {json.dumps(said, sort_keys=True)}"

    def predict(
        self, views: Sequence[View], graph: networkx.Graph | None, store: PredictionStore, progress: Progress
    ) -> Predictions:
        """Predict the pairs of `graph` whose views could be placed; all others are named in the notices.
        Without a graph: the most covisible pairs.

        Placed views that no pair ties to another one serve as neighbours for the depth of the others, but are
        not handed on.

        Poses that views state are compared with the matches, and then kept or improved, as the options say;
        the other views are placed in their world.

        Views whose lens was found come back on grids of their undistorted photos, so everything behind sees
        pinholes. All pairs are cut from one scene, in one scale, when they are asked for. Their `cameras` are
        the solved ones; their focal may lie beyond what a pointmap's focal estimate is clamped to, so an
        aligner should take these K as known. Raises `ReconstructionError` when the photos do not give a
        scene, `StatedCamerasError` when stated poses contradict them, `GraphError` when no pair of the graph
        lies in it.
        """
        cost = depth_cost(views, min(len(views), default_workers()))
        require_depth_memory(views, cost, free_memory())
        progress(f"depth: about {cost.cpu_seconds:.0f} CPU s, {cost.bytes / 1e9:.1f} GB", 0, 1)
        with self.engine.start() as workers:
            work = Work(store, workers, progress)
            stated = any(view.cam_from_world is not None for view in views)
            solve = None if self.unmasked is None or stated else on_object(self.unmasked, views)
            if solve is None:
                solve = (solve_known if stated else solve_scene)(views, graph, work, self.solve)
            views, solve, undone = ideal_views(views, solve, work)
            if solve.by_outline:
                return _of_circle(views, solve, work, self.depth)
            edges, lost = placed_edges(
                views, covisible_graph(solve, len(views)) if graph is None else graph, solve.placed
            )
            # All placed views, also those that no pair ties: they are neighbours for the depth of others.
            group, unmeasured = dense_group(views, solve, work, self.depth)
        # Stated poses are in the cameras now, with those of the other views, in one world.
        placed = tuple(replace(views[i], cam_from_world=None) for i in solve.placed)
        # The aligner and the exports tie cameras by their id.
        placed = with_solved_cameras(placed, solve.cameras.K)
        tracks = feature_tracks(placed, solve)
        source = pair_source(group, tracks, edges, self.depth.match_step, store)
        unmatched = _match_all(placed, source, progress)
        notices = (*solve.notices, *undone, *lost, *unmeasured, *unmatched)
        tied, renumbered = tied_views(edges)
        cameras = Cameras(group.cameras.K[list(tied)], group.cameras.cam_from_world[list(tied)])
        return Predictions(
            tuple(placed[p] for p in tied),
            renumbered,
            functools.partial(load_pair, source),
            cameras,
            notices,
            tracks=as_tracks(placed, tracks),
        )

    def with_poses(self, fixed: bool) -> Classical:
        """Return the backend that keeps stated poses as they are, or improves them by the matches."""
        return replace(self, solve=replace(self.solve, fixed_poses=fixed))

    def pose_distances(
        self,
        views: Sequence[View],
        senses: Sequence[Mapping[int, np.ndarray]],
        store: PredictionStore,
        progress: Progress,
    ) -> tuple[float, ...]:
        """Return how far the photos' matches lie from where poses (4, 4), by view, put them: for each of
        several senses of the same poses, in working pixels.
        """
        with self.engine.start() as workers:
            return pose_distances(views, senses, Work(store, workers, progress), self.solve)

    def match(self, a: View, b: View) -> tuple[Matches, tuple[Notice, ...]]:
        """Return the features of two views that agree with one epipolar geometry."""
        return feature_matches(a, b, self.solve)


@dataclass(frozen=True, slots=True)
class ClassicalOptions:
    """What can be chosen about the backend by name."""

    engine: str = "process"
    """Where its stages run: process (on this machine), or ray."""
    turntable: str | float = "auto"
    """What outlines may add: auto, off, full, or the degrees from photo to photo."""


def make_classical(options: ClassicalOptions | None = None, seed: int = 0) -> Classical:
    """Return the backend with its usual settings: what the name `classical` stands for."""
    chosen = options or ClassicalOptions()
    solve = SolveOptions(seed=seed, turntable=turntable_named(chosen.turntable))
    return Classical(solve, engine=engine_named(chosen.engine, Processes()))


CLASSICAL = BackendKind(ClassicalOptions, make_classical)


def _of_circle(views: Sequence[View], solve: SceneSolve, work: Work, options: DepthOptions) -> Predictions:
    """Return a scene on a turntable's circle as a whole, with nothing to align: matches would move its poses
    off the circle, along with their noise, and where outlines placed views there are few of them.
    """
    group, unmeasured = dense_group(views, solve, work, options)
    placed = with_solved_cameras([views[i] for i in solve.placed], solve.cameras.K)

    def nothing(k: int) -> PairEntry:
        raise IndexError(f"no pair {k}: there is nothing to align")

    tracks = as_tracks(placed, feature_tracks(placed, solve))
    notices = (*solve.notices, *unmeasured)
    return Predictions(placed, (), nothing, group.cameras, notices, group=group, tracks=tracks)


def placed_edges(
    views: Sequence[View], graph: networkx.Graph, placed: Sequence[int]
) -> tuple[Edges, tuple[Notice, ...]]:
    """Return the graph's pairs of placed views as positions in `placed`, and what became of the other pairs
    and of placed views without any.
    """
    position = {view: p for p, view in enumerate(placed)}
    pairs = sorted((min(edge), max(edge)) for edge in graph.edges if edge[0] != edge[1])
    edges = tuple((position[a], position[b]) for a, b in pairs if a in position and b in position)
    if not edges:
        raise GraphError(
            f"none of the graph's {len(pairs)} pairs lies among the {len(placed)} views that could be "
            "placed. Use a denser scene graph, or photos "
            "in smaller steps."
        )
    notices = []
    for missing in sorted({view for pair in pairs for view in pair if view not in position}):
        partners = [views[b if a == missing else a].name for a, b in pairs if missing in (a, b)]
        text = f"its pairs are left out, because its camera could not be placed: with {first_few(partners)}."
        notices.append(left_out(views[missing].name, text))
    tied, _ = tied_views(edges)
    text = (
        "its camera was placed, but no pair of the scene graph ties it to another placed view, so nothing "
        "could check or improve it. Add such a pair."
    )
    notices += [left_out(views[view].name, text) for p, view in enumerate(placed) if p not in tied]
    return edges, tuple(notices)


def _match_all(views: Sequence[View], source: PairSource, progress: Progress) -> tuple[Notice, ...]:
    """Make the matches of all pairs, and name those that have too few."""
    unmatched = []
    for k, (a, b) in enumerate(source.edges):
        if len(load_matches(source, k).conf) == 0:
            unmatched.append(f"{views[a].name} with {views[b].name}")
        progress("matching depth", k + 1, len(source.edges))
    if not unmatched:
        return ()
    text = (
        f"{len(unmatched)} of {len(source.edges)} pairs share fewer than {LEAST_MATCHES} sure matches and "
        "hand on none: "
        f"{first_few(unmatched, '; ')}. Photos between them would help."
    )
    return (warning("matches", text),)
