"""Where predictions are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from masks.notice import Notice
from masks.progress import Progress
from pairs.backends.jobs import PairJob, PairWorker, pair_batches


@dataclass(frozen=True, slots=True)
class Todo:
    """What of a job is missing in the store."""

    encode: tuple[int, ...]
    """Views that missing pairs need, and nobody has looked at."""
    predict: tuple[tuple[int, ...], ...]
    """Batches of edges with a missing one each. A batch is the same whatever is in the store."""


Engine = Callable[[PairJob, Todo, Progress], tuple[Notice, ...]]
"""Does all that is to be done, the encoding before the prediction, and returns what has to be reported."""


def missing(job: PairJob, batch: int) -> Todo:
    """Return what of a job is to be done, in batches of at most so many edges between views of equal
    sizes.
    """
    sizes = [view.pixel_map.target_size for view in job.views]
    unfinished = {number for number in range(len(job.edges)) if not job.is_finished(number)}
    batches = tuple(
        tuple(numbers)
        for numbers in pair_batches(sizes, job.edges, batch)
        if not unfinished.isdisjoint(numbers)
    )
    needed = sorted({view for numbers in batches for number in numbers for view in job.edges[number]})
    return Todo(tuple(view for view in needed if not job.is_encoded(view)), batches)


def in_this_process(job: PairJob, todo: Todo, progress: Progress) -> tuple[Notice, ...]:
    """Do everything here, one thing after the other."""
    if not todo.encode and not todo.predict:
        return ()
    progress("loading the network", 0, 1)
    worker = PairWorker(job)
    for k, view in enumerate(todo.encode):
        worker.encode(view)
        progress("encoding photos", k + 1, len(todo.encode))
    notices: list[Notice] = []
    for k, batch in enumerate(todo.predict):
        notices += worker.predict(batch)
        progress("predicting pairs", *pairs_done(todo.predict, k))
    return tuple(notices)


def pairs_done(batches: Sequence[Sequence[int]], k: int) -> tuple[int, int]:
    """Return the number of edges in the batches up to number k, and in all."""
    return sum(map(len, batches[: k + 1])), sum(map(len, batches))
