"""The context of a backend's stages, in this process or in several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from masks.progress import Progress
from pairs.backends.work import Work
from pairs.engines.processes import Processes
from pairs.prediction.store import PredictionStore


@contextmanager
def working(store: PredictionStore, progress: Progress, processes: int = 1) -> Iterator[Work]:
    """Yield work that is done by so many processes; one: this very process."""
    with Processes(processes).start() as workers:
        yield Work(store, workers, progress)
