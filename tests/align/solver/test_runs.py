"""Runs of equal keys against loops over the entries."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from align.solver.runs import rank_in_run, run_bounds, whole_runs

KEYS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30).map(sorted)


@given(KEYS)
def test_bounds_are_where_the_keys_change(keys: list[tuple[int, int]]) -> None:
    lengths = [len(list(group)) for _, group in groupby(keys)]
    first, second = np.array(keys, int).reshape(-1, 2).T
    assert run_bounds(first, second).tolist() == np.cumsum([0, *lengths]).tolist()


@given(KEYS)
def test_ranks_count_from_the_start_of_their_run(keys: list[tuple[int, int]]) -> None:
    first = [a for a, _ in keys]
    expected = [k for _, group in groupby(first) for k, _ in enumerate(group)]
    assert rank_in_run(np.array(first, int)).tolist() == expected


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 12))
def test_pieces_hold_whole_runs_as_many_as_fit(lengths: list[int], most: int) -> None:
    bounds = np.cumsum([0, *lengths])
    pieces = list(whole_runs(bounds, most))
    assert [run for first, last in pieces for run in range(first, last)] == list(range(len(lengths)))
    for first, last in pieces:
        assert last == first + 1 or bounds[last] - bounds[first] <= most
        assert last == len(lengths) or bounds[last + 1] - bounds[first] > most
