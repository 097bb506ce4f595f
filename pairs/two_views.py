"""What a backend takes for the same in two photos: what an alignment of them would build on."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import networkx

from masks.disk.temporary_folder import temporary_folder
from masks.errors import UserError
from masks.notice import Notice, info
from masks.pixelmap import to_target
from masks.progress import Progress
from pairs.backends.pairwise import PairwiseBackend
from pairs.backends.protocol import Backend, MatchesPhotos
from pairs.engines.processes import Processes
from pairs.prediction.predictions import Matches, join_matches
from pairs.prediction.store import PredictionStore
from pairs.views.view import View


@dataclass(frozen=True, slots=True)
class TwoViews:
    """Two views and their matches."""

    views: tuple[View, View]
    """On the grid that the matches are on, which is the backend's where it has one."""
    matches: Matches
    notices: tuple[Notice, ...] = ()


@runtime_checkable
class FineModel(Protocol):
    """What a pair model offers beside that matches crops of photos."""

    def fine_matches(self, a: View, b: View, coarse: Matches) -> Matches:
        """Return matches in pixels of the upright photos, from coarse ones on the views' grids."""
        ...


def match_two(a: View, b: View, backend: Backend, progress: Progress) -> TwoViews:
    """Return the matches of two views; maybe none. Nothing is kept."""
    if isinstance(backend, MatchesPhotos):
        progress("matching", 0, 1)
        return TwoViews((a, b), *backend.match(a, b))
    with temporary_folder() as folder:
        found = backend.predict((a, b), networkx.Graph([(0, 1)]), PredictionStore(folder), progress)
        first, second = (found.views[view] for view in found.edges[0])
        matches = found.load(0).matches
    return TwoViews((first, second), join_matches([]) if matches is None else matches, found.notices)


def match_two_finely(a: View, b: View, backend: Backend, progress: Progress) -> TwoViews:
    """Return the same from crops at the photos' full resolution, where the whole photos match; positions lie
    between the pixels of the grids. Raises `UserError` for a backend whose model has no descriptors.
    """
    if not isinstance(backend, PairwiseBackend):
        raise UserError("fine matches need a network of pairs with descriptors. Choose mast3r.")
    # Opened once for both: it may fill half of the memory.
    opened = functools.cache(backend.open_model)
    coarse = match_two(a, b, replace(backend, open_model=opened, engine=Processes(1)), progress)
    model = opened()
    if not isinstance(model, FineModel):
        raise UserError("the network has no descriptors of crops. Choose mast3r, or no fine matches.")
    progress("matching crops", 0, 1)
    first, second = coarse.views
    fine = model.fine_matches(first, second, coarse.matches)
    on_grids = replace(
        fine,
        xy_a=to_target(first.grid_from_photo, fine.xy_a),
        xy_b=to_target(second.grid_from_photo, fine.xy_b),
    )
    said = f"{len(coarse.matches.conf)} matches of the whole photos led to {len(fine.conf)}."
    return TwoViews(coarse.views, on_grids, (*coarse.notices, info("fine matches", said)))
