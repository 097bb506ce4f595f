"""What a backend is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import networkx

from pairs.prediction import Predictions
from pairs.store import PredictionStore
from pairs.views import View

Progress = Callable[[str, int, int], None]
"""Told (stage, done, total) by every long loop; total is 0 while it is unknown."""


def silent(stage: str, done: int, total: int) -> None:
    """Ignore progress."""


class Backend(Protocol):
    """Answers for the pairs of a graph. Equal inputs give equal predictions, in whatever order they are asked for."""

    @property
    def key(self) -> str:
        """Name, version and options in one line: equal lines and equal views give equal predictions.

        Keys of the store begin with name and version, and hold of the options only those that can change the entry.
        """
        ...

    def predict(self, views: Sequence[View], graph: networkx.Graph | None, store: PredictionStore, progress: Progress) -> Predictions:
        """Predict the pairs of `graph` (nodes are indices into `views`), reading from and writing to `store` what is finished.

        Without a graph the backend chooses the pairs.
        """
        ...
