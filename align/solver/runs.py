"""Runs of equal keys in sorted arrays: their bounds, ranks within them, and pieces of whole runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def run_bounds(*keys: np.ndarray) -> np.ndarray:
    """Return the bounds (K + 1,) of the K runs of entries whose keys (M,) are all equal; (1,) without
    entries.
    """
    changed = np.zeros(len(keys[0]), bool)
    changed[:1] = True
    for key in keys:
        changed[1:] |= np.diff(key) != 0
    return np.append(np.flatnonzero(changed), len(changed))


def rank_in_run(key: np.ndarray) -> np.ndarray:
    """Return how many entries with the same key stand before each one (M,), for ascending keys."""
    return np.arange(len(key)) - np.searchsorted(key, key)


def whole_runs(bounds: np.ndarray, most: int) -> Iterator[tuple[int, int]]:
    """Yield ranges (first, last) of consecutive runs of at most `most` entries together, or of one longer
    run.
    """
    first, count = 0, len(bounds) - 1
    while first < count:
        fitting = int(np.searchsorted(bounds, bounds[first] + most, side="right")) - 1
        last = max(fitting, first + 1)
        yield first, last
        first = last
