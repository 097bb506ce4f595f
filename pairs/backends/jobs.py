"""Where a pair model meets the store: one photo is looked at once, one batch of pairs is decoded, and what is
finished is kept.

A job is cut into tasks for an engine's workers. They put what they make into the store themselves: both runs
of a pair take some ten megabytes, and on a cluster all of them would pass through one machine otherwise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch

from masks.errors import FormatError, UserError
from masks.memory import is_out_of_memory
from masks.notice import Notice, warning
from pairs.backends.work import Work
from pairs.graph.scene_graphs import Edges
from pairs.matching.from_pointmaps import with_matches
from pairs.prediction.pair_file import entry_from_arrays, entry_to_arrays
from pairs.prediction.predictions import PairEntry
from pairs.prediction.store import PredictionStore
from pairs.views.digest import digest
from pairs.views.view import View

Encoding = Mapping[str, np.ndarray]
"""All that a model remembers of one photo, as arrays by name. It depends on no other photo."""

_ENCODINGS, _PAIRS = "encodings", "pairs"
"""Folders of the store."""
_SMALLER = "Use `precision=bfloat16`, another `device`, or close what else uses its memory."
_T = TypeVar("_T")

Pair = tuple[int, int]
"""Positions of the first and the second image in a list."""


class PairModel(Protocol):
    """Looks at photos one by one, then at pairs of what it remembers of them."""

    def encode(self, view: View) -> Encoding:
        """Return what is to be remembered of a photo."""
        ...

    def decode(self, pairs: Sequence[tuple[Encoding, Encoding]]) -> Sequence[PairEntry]:
        """Return both runs of every pair (a, b), and its matches where the model has a way of its own to find
        them.

        All first photos of a batch have one size, and so have all second ones. A pair's numbers depend on the
        others of its batch by rounding only.
        """
        ...


@dataclass(frozen=True, slots=True)
class PairJob:
    """Which pairs are to be predicted, by what, and where they are kept."""

    key: str
    """Of the model: equal keys and equal views give equal entries."""
    open_model: Callable[[], PairModel]
    """Reads the weights; called once a process, and only when something is missing."""
    views: tuple[View, ...]
    edges: Edges
    store: PredictionStore

    def encoding_key(self, number: int) -> str:
        """Return the store's key of what is remembered of a view."""
        return digest(self.key, self.views[number].grid_key)

    def pair_key(self, number: int) -> str:
        """Return the store's key of an edge."""
        return digest(self.key, *(self.views[view].grid_key for view in self.edges[number]))

    def is_encoded(self, number: int) -> bool:
        """Tell whether a view needs no encoding any more."""
        return self.store.has(_ENCODINGS, self.encoding_key(number))

    def is_finished(self, number: int) -> bool:
        """Tell whether an edge is in the store, whole: it is read for that, since nothing could make it again
        once the model is gone.
        """
        return self.kept_entry(number) is not None

    def kept_entry(self, number: int) -> PairEntry | None:
        """Return what the store holds of an edge."""
        key = self.pair_key(number)
        a, b = (self.views[view].pixel_map.target_size for view in self.edges[number])
        path = self.store.path(_PAIRS, key)
        return self.store.get(_PAIRS, key, lambda arrays: entry_from_arrays(arrays, a, b, path))


def load_entry(job: PairJob, number: int) -> PairEntry:
    """Return what was predicted of an edge. Raises `FormatError` when it is in the store no more."""
    entry = job.kept_entry(number)
    if entry is None:
        a, b = (job.views[view] for view in job.edges[number])
        path = job.store.path(_PAIRS, job.pair_key(number))
        raise FormatError(
            f"{path}: the pair {a.name} and {b.name} was removed from the store, or damaged, while the "
            "program ran. Start it again."
        )
    return entry


def load_encoding(job: PairJob, number: int) -> Encoding:
    """Return what is remembered of a view. Raises `FormatError` when it is in the store no more."""
    found = job.store.get(_ENCODINGS, job.encoding_key(number))
    if found is None:
        path = job.store.path(_ENCODINGS, job.encoding_key(number))
        raise FormatError(
            f"{path}: the photo {job.views[number].name} was removed from the store, or damaged, "
            "while the program ran. Start it again."
        )
    return found


@dataclass(frozen=True, slots=True)
class Todo:
    """What of a job is missing in the store."""

    encode: tuple[int, ...]
    """Views that missing pairs need, and nobody has looked at."""
    predict: tuple[tuple[int, ...], ...]
    """Batches of edges with a missing one each. A batch is the same whatever is in the store."""


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


def do(job: PairJob, todo: Todo, work: Work) -> tuple[Notice, ...]:
    """Do all that is to be done, the encoding before the prediction, and return what has to be reported."""
    if not todo.encode and not todo.predict:
        return ()
    work.progress("loading the network", 0, 1)
    # One object for both: a worker that has opened the model to encode decodes with it as well.
    worker = PairWorker(job)
    for _ in work.map("encoding photos", worker, todo.encode):
        pass
    notices: list[Notice] = []
    done, total = 0, sum(map(len, todo.predict))
    for batch, remarks in zip(todo.predict, work.workers.map(worker, todo.predict), strict=True):
        notices += remarks
        done += len(batch)
        work.progress("predicting pairs", done, total)
    return tuple(notices)


class PairWorker:
    """A process's model at work on a job; it is opened when the first task comes. `most` falls when the
    memory does not suffice for a batch, and stays there.
    """

    def __init__(self, job: PairJob) -> None:
        self.job = job
        self.most: int | None = None
        self._threads = torch.get_num_threads()

    def __call__(self, task: int | tuple[int, ...]) -> tuple[Notice, ...]:
        """Encode a view, or predict a batch of edges. Returns what has to be reported."""
        return self.predict(task) if isinstance(task, tuple) else self.encode(task)

    @functools.cached_property
    def model(self) -> PairModel:
        """The model."""
        # In another process torch would choose; sums of another number of threads are rounded otherwise.
        torch.set_num_threads(self._threads)
        return self.job.open_model()

    def encode(self, number: int) -> tuple[Notice, ...]:
        """Look at a view, and keep what is to be remembered of it, unless an equal one was looked at
        before.
        """
        if self.job.is_encoded(number):
            return ()
        view = self.job.views[number]
        found = within_memory(lambda: self.model.encode(view))
        if found is None:
            raise UserError(f"{view.name}: the memory does not suffice to encode one photo. {_SMALLER}")
        self.job.store.put(_ENCODINGS, self.job.encoding_key(number), found)
        return ()

    def predict(self, batch: tuple[int, ...]) -> tuple[Notice, ...]:
        """Decode a batch of edges whose views are encoded, and keep what is not kept yet. Returns what has to
        be reported.

        The batch is decoded whole even if some of it was kept before: in a smaller one numbers are rounded
        otherwise, and a run that goes on would not give the bytes of one that was never stopped. It is kept
        at once, so hardly any kill leaves a part of it.
        """
        notices: list[Notice] = []
        entries = self._in_parts(batch, notices)
        for number, entry in zip(batch, entries, strict=True):
            if not self.job.is_finished(number):
                self.job.store.put(_PAIRS, self.job.pair_key(number), entry_to_arrays(entry))
        return tuple(notices)

    def _in_parts(self, batch: Sequence[int], notices: list[Notice]) -> list[PairEntry]:
        """Decode a batch in parts that the memory suffices for."""
        if self.most is None or len(batch) <= self.most:
            entries = within_memory(lambda: self._decode(batch))
            if entries is not None:
                return entries
            notices.append(self._take_less(batch))
        half = (len(batch) + 1) // 2
        return [*self._in_parts(batch[:half], notices), *self._in_parts(batch[half:], notices)]

    def _take_less(self, batch: Sequence[int]) -> Notice:
        if len(batch) == 1:
            a, b = (self.job.views[view].name for view in self.job.edges[batch[0]])
            raise UserError(f"{a} and {b}: the memory does not suffice for one pair. {_SMALLER}")
        # For good: what did not fit once will not fit later, and failing each time costs a pass.
        self.most = len(batch) // 2
        text = (
            f"did not suffice for {len(batch)} pairs at a time: at most {self.most} from then on. Pairs of "
            "a smaller batch are the same to rounding."
        )
        return warning("memory", text)

    def _decode(self, batch: Sequence[int]) -> list[PairEntry]:
        edges = [self.job.edges[number] for number in batch]
        remembered = {
            view: load_encoding(self.job, view) for view in sorted({view for edge in edges for view in edge})
        }
        entries = self.model.decode([(remembered[a], remembered[b]) for a, b in edges])
        if len(entries) != len(edges):
            raise ValueError(
                f"the model answered {len(entries)} of {len(edges)} pairs: one entry a pair is due"
            )
        return [
            with_matches(entry, self.job.views[a], self.job.views[b])
            for entry, (a, b) in zip(entries, edges, strict=True)
        ]


def within_memory(work: Callable[[], _T]) -> _T | None:
    """Return what some work gives; none when the memory does not suffice for it."""
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Only here, after the error with all that its traceback holds is gone, is there something to give back.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def pair_batches(sizes: Sequence[tuple[int, ...]], pairs: Sequence[Pair], batch_size: int) -> list[list[int]]:
    """Return the numbers of the pairs in batches: pairs whose first images have one size and whose second
    images have one size, in order.
    """
    alike: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    for number, (a, b) in enumerate(pairs):
        alike.setdefault((sizes[a], sizes[b]), []).append(number)
    return [
        numbers[start : start + batch_size]
        for numbers in alike.values()
        for start in range(0, len(numbers), batch_size)
    ]
