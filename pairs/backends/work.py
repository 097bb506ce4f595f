"""What the stages of a backend share, and the one way to make what the store does not hold yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from masks.progress import Progress
from pairs.engines.engines import Workers
from pairs.prediction.store import Arrays, PredictionStore

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Work:
    """Where results are kept, who works, and who is told how far it is."""

    store: PredictionStore
    workers: Workers
    progress: Progress

    def map(self, stage: str, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Yield function(task) for every task, in order, as workers do, and tell how far that is."""
        for done, result in enumerate(self.workers.map(function, tasks)):
            self.progress(stage, done + 1, len(tasks))
            yield result


def cached_map(
    work: Work,
    stage: str,
    kind: str,
    keys: Sequence[str],
    make: Callable[[Task], Arrays],
    tasks_of: Callable[[list[int]], Sequence[Task]],
    read: Callable[[Arrays], Result],
) -> list[Result]:
    """Return what `read` makes of the store's entries `keys` of a kind, in order. Those that the store does
    not hold, or holds damaged, are made by the workers, and kept.

    `tasks_of` is asked for the tasks of the missing entries, by their positions in `keys`: nothing is
    prepared for what is there. An entry is kept as soon as it and all before it are made, so a run that is
    killed repeats one entry a worker at most.
    """
    found: list[Result | None] = [work.store.get(kind, key, read) for key in keys]
    missing = [k for k, result in enumerate(found) if result is None]
    if not missing:
        return [result for result in found if result is not None]
    tasks, done = tasks_of(missing), len(keys) - len(missing)
    work.progress(stage, done, len(keys))
    for k, arrays in zip(missing, work.workers.map(make, tasks), strict=True):
        work.store.put(kind, keys[k], arrays)
        found[k] = read(arrays)
        done += 1
        work.progress(stage, done, len(keys))
    return [result for result in found if result is not None]


def arrays_of(record: Any) -> dict[str, np.ndarray]:
    """Return a record of arrays as the store keeps it: each by the name of its field."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
