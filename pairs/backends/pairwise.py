"""Any model of pairs as a backend: each photo is encoded once, pairs are decoded in batches and both orders,
and finished ones are kept.

Memory: one batch. What is remembered of a photo, and what is predicted of a pair, lies in the store.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import networkx
import numpy as np

from masks.errors import GraphError, UserError
from masks.notice import Notice, info, left_out
from masks.progress import Progress
from pairs.backends.jobs import Encoding, PairJob, PairModel, Todo, do, load_encoding, load_entry, missing
from pairs.backends.work import Work
from pairs.engines.engines import Engine
from pairs.engines.processes import Processes
from pairs.graph.by_similarity import Retrieval
from pairs.graph.scene_graphs import Complete, Edges, LogWindow, tied_views
from pairs.prediction.layout import laid_out
from pairs.prediction.predictions import Predictions
from pairs.prediction.sealed_arrays import Arrays
from pairs.prediction.store import PredictionStore
from pairs.views.digest import digest
from pairs.views.view import View

# 276 pairs. Both orders of one take half a minute of a CPU core with the published MASt3R: two and a half
# hours for all pairs of 24 photos, ten for those of 48.
_COMPLETE_UP_TO = 24
"""Views: beyond, not all pairs are predicted unless asked for."""
_SIMILARITY = "similarity"
"""Folder of the store."""
_UNTIED = (
    "no pair of the scene graph ties it to another view, so nothing was predicted of it. Add such a pair."
)


@dataclass(frozen=True, slots=True)
class SimilarityModel:
    """Tells from what a pair model remembers of photos how alike they are."""

    key: str
    """Of its weights."""
    similarity: Callable[[Iterable[Encoding]], np.ndarray]
    """Returns the similarity (V, V) of V photos."""


@dataclass(frozen=True, slots=True)
class PairwiseBackend:
    """Predicts pairs with a model that knows nothing of graphs, stores and batches."""

    key: str
    """Name, version and options of the model."""
    fixed_grid: str | None
    """In words the grid that it predicts on."""
    to_grid: Callable[[View], View]
    """Puts a view on that grid."""
    open_model: Callable[[], PairModel]
    """Reads the weights. Called only when something is missing in the store; can be sent to another
    process."""
    batch: int = 1
    """Edges that are decoded at once. It changes numbers by rounding only, and is no part of any key."""
    engine: Engine = field(default_factory=lambda: Processes(1))
    """Where the model runs. Usually in this process: several models on one machine would share its cores, or
    its accelerator, and multiply the memory."""
    similarity_model: SimilarityModel | None = None
    """For graphs by similarity."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"a batch of {self.batch} pairs: at least one pair is decoded at a time")

    def predict(
        self, views: Sequence[View], graph: networkx.Graph | None, store: PredictionStore, progress: Progress
    ) -> Predictions:
        """Predict both runs and the matches of all pairs of `graph`. Without a graph: all pairs, or of many
        views those that are alike, or those
        next to each other in the order of files.

        Views without a pair are left out by name. Raises `GraphError` when there is no pair at all.
        """
        names = [view.name for view in views]
        graph, notices = (graph, ()) if graph is not None else self._usual_graph(views, store, progress)
        tied, edges = tied_views(pairs_of(graph))
        notices = (*notices, *(left_out(name, _UNTIED) for k, name in enumerate(names) if k not in tied))
        job = PairJob(
            self.key, self.open_model, self._on_grid([views[k] for k in tied], progress), edges, store
        )
        with self.engine.start() as workers:
            notices += do(job, missing(job, self.batch), Work(store, workers, progress))
        return Predictions(job.views, edges, functools.partial(load_entry, job), None, notices)

    def similarity(self, views: Sequence[View], store: PredictionStore, progress: Progress) -> np.ndarray:
        """Return how alike the views are (V, V), by the photos as the model sees them."""
        model = self.similarity_model
        if model is None:
            raise UserError(
                "a graph by similarity needs a retrieval model. Name one with `retrieval=FILE`, or choose "
                "another graph, as in `graph=ring`."
            )
        # A job without pairs: only what is remembered of every photo is needed, and the pairs find it in the
        # store later.
        job = PairJob(self.key, self.open_model, self._on_grid(views, progress), (), store)
        key = digest(model.key, *(job.encoding_key(k) for k in range(len(views))))

        def compare() -> Arrays:
            todo = Todo(tuple(k for k in range(len(views)) if not job.is_encoded(k)), ())
            with self.engine.start() as workers:
                do(job, todo, Work(store, workers, progress))
            progress("comparing photos", 0, 1)
            return {"similarity": model.similarity(load_encoding(job, k) for k in range(len(views)))}

        layout = {"similarity": ("float64", (len(views), len(views)))}
        return store.get_or_make(
            _SIMILARITY, key, compare, lambda arrays: laid_out(arrays, layout)["similarity"]
        )

    def _usual_graph(
        self, views: Sequence[View], store: PredictionStore, progress: Progress
    ) -> tuple[networkx.Graph, tuple[Notice, ...]]:
        names = [view.name for view in views]
        if self.similarity_model is None or len(views) <= _COMPLETE_UP_TO:
            return usual_graph(names)
        graph = Retrieval().with_similarity(self.similarity(views, store, progress)).edges(names)
        text = (
            f"of {len(names)} views {graph.number_of_edges()} pairs that are alike are predicted (`graph` "
            "complete for all)."
        )
        return graph, (info("scene graph", text),)

    def _on_grid(self, views: Sequence[View], progress: Progress) -> tuple[View, ...]:
        placed = []
        for k, view in enumerate(views):
            placed.append(self.to_grid(view))
            progress("scaling photos for the network", k + 1, len(views))
        return tuple(placed)


def pairs_of(graph: networkx.Graph) -> Edges:
    """Return the pairs of a graph. Raises `GraphError` when there are none."""
    pairs = sorted({(min(edge), max(edge)) for edge in graph.edges if edge[0] != edge[1]})
    if not pairs:
        raise GraphError("the scene graph has no pairs. Choose another one, such as complete.")
    return tuple(pairs)


def usual_graph(names: Sequence[str]) -> tuple[networkx.Graph, tuple[Notice, ...]]:
    """Return the pairs that are predicted when nobody says which, and what has to be said about them."""
    if len(names) <= _COMPLETE_UP_TO:
        return Complete().edges(names), ()
    graph = LogWindow().edges(names)
    text = (
        f"{len(names)} views have {len(names) * (len(names) - 1) // 2} pairs. {graph.number_of_edges()} of "
        "them are predicted: views 1, 2, 4 and 8 "
        "apart in the order of their files. If that order means nothing, choose `graph=complete`, or name "
        "a `retrieval` model."
    )
    return graph, (info("scene graph", text),)
