"""What a backend is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import networkx
import numpy as np

from masks.notice import Notice
from masks.progress import Progress
from pairs.prediction.predictions import Matches, Predictions
from pairs.prediction.store import PredictionStore
from pairs.views.view import View

Options = TypeVar("Options")


class Backend(Protocol):
    """Answers for the pairs of a graph. Equal inputs give equal predictions, in whatever order they are asked
    for.
    """

    @property
    def key(self) -> str:
        """Name, version and options in one line: equal lines and equal views give equal predictions.

        Keys of the store begin with name and version, and hold of the options only those that can change the
        entry.
        """
        ...

    @property
    def fixed_grid(self) -> str | None:
        """In words the grid that pairs are predicted on, whatever grid the views come on; none: it is that of
        the views.
        """
        ...

    def predict(
        self, views: Sequence[View], graph: networkx.Graph | None, store: PredictionStore, progress: Progress
    ) -> Predictions:
        """Predict the pairs of `graph` (nodes are indices into `views`), reading from and writing to `store`
        what is finished.

        Without a graph the backend chooses the pairs. The views of the predictions are on the grid of the
        predictions.
        """
        ...


@runtime_checkable
class SimilarityBackend(Protocol):
    """What a backend offers beside that can tell how alike photos are, before any pair is predicted."""

    def similarity(self, views: Sequence[View], store: PredictionStore, progress: Progress) -> np.ndarray:
        """Return how alike the views are (V, V), row: asked for, column: found. Raises `UserError` when it
        was given no model for that.
        """
        ...


@runtime_checkable
class MatchesPhotos(Protocol):
    """What a backend offers beside that can match two photos without a scene: many that match well do not
    tell where the cameras stood.
    """

    def match(self, a: View, b: View) -> tuple[Matches, tuple[Notice, ...]]:
        """Return the matches on the views' grids, maybe none, and what has to be said about them."""
        ...


@runtime_checkable
class HeedsPoses(Protocol):
    """What a backend offers beside that places views at the poses that are stated for them."""

    def with_poses(self, fixed: bool) -> Backend:
        """Return the backend that keeps stated poses as they are, or improves them."""
        ...


@dataclass(frozen=True, slots=True)
class BackendKind(Generic[Options]):
    """A backend that can be chosen by name."""

    options: type[Options]
    """What can be chosen about it: a frozen dataclass of its own, whose fields all have defaults."""
    make: Callable[[Options, int], Backend]
    """Makes it of options and a seed. Raises `UserError` naming the option at fault."""
