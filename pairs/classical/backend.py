"""The embedded backend: predictions for pairs from the photos alone, without weights (the embedded backend's specification)."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import networkx

from masks.errors import GraphError
from masks.notice import Notice, left_out, warning
from pairs.backend import Progress
from pairs.classical.covisibility import covisible_graph
from pairs.classical.depth_options import DepthOptions
from pairs.classical.feature_tracks import feature_tracks
from pairs.classical.group import dense_group
from pairs.classical.induced_matches import LEAST_MATCHES
from pairs.classical.options import SolveOptions
from pairs.classical.pair_source import PairSource, load_matches, load_pair, pair_source
from pairs.classical.scene_solve import solve_scene
from pairs.prediction import Predictions
from pairs.store import PredictionStore
from pairs.views import View

_VERSION = "classical 1"


@dataclass(frozen=True, slots=True)
class Classical:
    """Solves the cameras, measures depth against neighbouring views, and answers for every pair whose two views it could place."""

    solve: SolveOptions = field(default_factory=SolveOptions)
    depth: DepthOptions = field(default_factory=DepthOptions)

    @property
    def key(self) -> str:
        """Name, version and options in one line."""
        return f"{_VERSION} {json.dumps({**self.solve.fingerprint(), **self.depth.fingerprint()}, sort_keys=True)}"

    def predict(self, views: Sequence[View], graph: networkx.Graph | None, store: PredictionStore, progress: Progress) -> Predictions:
        """Predict the pairs of `graph` whose views could be placed; all others are named in the notices. Without a graph: the most covisible pairs.

        All pairs are cut from one scene, in one scale, when they are asked for. Their `cameras` are the solved ones; their focal may lie beyond
        what a pointmap's focal estimate is clamped to, so an aligner should take these K as known. Raises `ReconstructionError` when the photos
        do not give a scene, `GraphError` when no pair of the graph lies in it.
        """
        solve = solve_scene(views, graph, store, progress, self.solve)
        edges, lost = placed_edges(views, covisible_graph(solve, len(views)) if graph is None else graph, solve.placed)
        group, unmeasured = dense_group(views, solve, store, progress, self.depth)
        placed = tuple(views[i] for i in solve.placed)
        source = pair_source(group, feature_tracks(placed, solve), edges, self.depth.match_step, store)
        unmatched = _match_all(placed, source, progress)
        notices = (*solve.notices, *lost, *unmeasured, *unmatched)
        return Predictions(placed, edges, functools.partial(load_pair, source), group.cameras, notices)


def make_classical(seed: int) -> Classical:
    """Return the backend with its usual settings: what the name `classical` stands for."""
    return Classical(SolveOptions(seed=seed))


def placed_edges(views: Sequence[View], graph: networkx.Graph, placed: Sequence[int]) -> tuple[tuple[tuple[int, int], ...], tuple[Notice, ...]]:
    """Return the graph's pairs (a, b), a < b, of placed views as positions in `placed`, ascending, and what became of the others."""
    position = {view: p for p, view in enumerate(placed)}
    pairs = sorted((min(edge), max(edge)) for edge in graph.edges if edge[0] != edge[1])
    edges = tuple((position[a], position[b]) for a, b in pairs if a in position and b in position)
    if not edges:
        raise GraphError(
            f"none of the graph's {len(pairs)} pairs lies among the {len(placed)} views that could be placed. Use a denser scene graph, or photos "
            "in smaller steps."
        )
    notices = []
    for missing in sorted({view for pair in pairs for view in pair if view not in position}):
        partners = [views[b if a == missing else a].name for a, b in pairs if missing in (a, b)]
        text = f"its pairs are left out, because its camera could not be placed: with {', '.join(partners)}."
        notices.append(left_out(views[missing].name, text))
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
    text = f"{len(unmatched)} of {len(source.edges)} pairs share fewer than {LEAST_MATCHES} sure matches and hand on none: {'; '.join(unmatched)}."
    return (warning("matches", text),)
