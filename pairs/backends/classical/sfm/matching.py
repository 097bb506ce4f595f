"""Descriptors compared: mutual nearest neighbours with a ratio test (docs/classical_backend.md, "Matching").

Both tests drop places that repeat on the object, which no later step could tell from right ones one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from masks.errors import SolverError
from pairs.backends.classical.keys import stage_key
from pairs.backends.classical.sfm.features import DESCRIPTOR_SCALE, KIND, comparable, features_from_arrays
from pairs.prediction.layout import laid_out
from pairs.prediction.sealed_arrays import Arrays
from pairs.prediction.store import PredictionStore

Pair = tuple[int, int]
"""Indices of two views, the smaller one first."""

MATCHES_KIND = "feature_matches"
"""Name of the matches' folder in the store."""

_LAYOUT = {"indices": ("int32", ("M", 2))}
_BLOCK_ROWS = 192
"""Rows compared at once: a block of the similarity matrix that stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class MatchTask:
    """Two views, by the store keys of their features."""

    store: PredictionStore
    first: str
    second: str
    ratio: float


def matches_key(features_a: str, features_b: str, ratio: float) -> str:
    """Return the store key of the matches of a pair, from the store keys of the features of its two views."""
    return stage_key(MATCHES_KIND, features_a, features_b, ratio)


def match_features(task: MatchTask) -> dict[str, np.ndarray]:
    """Match two views, and return their index pairs (M, 2) as the store keeps them; a task for a worker."""
    first, second = (_load_descriptors(task.store, key) for key in (task.first, task.second))
    return {"indices": mutual_matches(first, second, task.ratio)}


def indices_from_arrays(arrays: Arrays) -> np.ndarray:
    """Return index pairs as the store kept them. Raises `ValueError` when these are none."""
    return laid_out(arrays, _LAYOUT)["indices"]


def mutual_matches(first: np.ndarray, second: np.ndarray, ratio: float) -> np.ndarray:
    """Return index pairs (M, 2) int32 of descriptors that are each other's nearest, clearly nearer than the
    first's next-nearest.

    Descriptors are those of `comparable`. Ties go to the smaller index. Memory grows with O(N), not O(N^2).
    """
    # The ratio test needs a second-best.
    if len(first) == 0 or len(second) < 2:
        return np.zeros((0, 2), np.int32)
    best_of_row, similarity, runner_up, best_of_column = _nearest_both_ways(first, second)
    # Norms are right to rounding only, so a product of equal descriptors may exceed the square by a little:
    # hence the maximum below.
    squared = np.float32(DESCRIPTOR_SCALE) ** 2
    distance, next_distance = (np.sqrt(np.maximum(2 * (squared - s), 0)) for s in (similarity, runner_up))
    rows = np.arange(len(first))
    keep = (best_of_column[best_of_row] == rows) & (distance < ratio * next_distance)
    return np.stack([rows[keep], best_of_row[keep]], axis=1).astype(np.int32)


def merge_doubles(xy: Sequence[np.ndarray], matches: Mapping[Pair, np.ndarray]) -> dict[Pair, np.ndarray]:
    """Let key points at one place, which differ in their orientation alone, count as the first of them, and
    every match once.

    Doubles would pass for independent evidence, and a sample of five places drawn as eight points is
    degenerate.
    """
    first = [_first_at_place(points) for points in xy]
    return {
        (a, b): np.unique(np.stack([first[a][m[:, 0]], first[b][m[:, 1]]], axis=1), axis=0)
        for (a, b), m in matches.items()
    }


def _first_at_place(points: np.ndarray) -> np.ndarray:
    """Return (N,) int32 the smallest index of a point with the same position."""
    _, first, group = np.unique(points, axis=0, return_index=True, return_inverse=True)
    return first[group.ravel()].astype(np.int32)


def _nearest_both_ways(
    first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return each row's nearest column, its similarity, the next-best similarity, and each column's nearest
    row.
    """
    best_of_row = np.empty(len(first), np.intp)
    similarity, runner_up = np.empty(len(first), np.float32), np.empty(len(first), np.float32)
    best_of_column = np.zeros(len(second), np.intp)
    best_in_column = np.full(len(second), -1, np.float32)
    columns = np.arange(len(second))
    second_t = np.ascontiguousarray(second.T)
    for start in range(0, len(first), _BLOCK_ROWS):
        block = first[start : start + _BLOCK_ROWS] @ second_t
        rows = np.arange(len(block))
        top_row = block.argmax(0)
        top = block[top_row, columns]
        # Strictly: a tie stays with the earlier block, so the block size changes nothing.
        better = top > best_in_column
        best_in_column[better], best_of_column[better] = top[better], top_row[better] + start
        best = block.argmax(1)
        here = slice(start, start + len(block))
        best_of_row[here], similarity[here] = best, block[rows, best]
        # Below every similarity, for descriptors have no negative entries. In place: a copy of the matrix
        # would be bound by memory.
        block[rows, best] = -1
        runner_up[here] = block.max(1)
    return best_of_row, similarity, runner_up, best_of_column


# Two, because pairs come sorted: the first view of a worker's last task is most often that of its next one.
@functools.lru_cache(maxsize=2)
def _load_descriptors(store: PredictionStore, key: str) -> np.ndarray:
    features = store.get(KIND, key, features_from_arrays)
    if features is None:
        raise SolverError(
            f"{store.path(KIND, key)}: the finished features of a view cannot be read back. Check that the "
            "disk is not full, that nothing else "
            "clears the store while the program runs, and start again."
        )
    return comparable(features.descriptors)
