"""Pairs are joined in order, with their first place, and turned into positions."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from pairs.matching.merge import merge_pairs, pixel_xy


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_merged_pairs_are_sorted_distinct_and_know_where_they_stood_first(pairs):
    distinct, first = merge_pairs(torch.tensor(pairs, dtype=torch.int32).reshape(-1, 2))
    assert [tuple(pair) for pair in distinct.tolist()] == sorted(set(pairs))
    assert first.tolist() == [pairs.index(pair) for pair in sorted(set(pairs))]
    assert distinct.dtype == torch.int32


def test_large_pictures_do_not_overflow():
    large = torch.tensor([[2**31 - 1, 2**31 - 1], [2**31 - 2, 2**31 - 1]], dtype=torch.int32)
    assert merge_pairs(large)[0].tolist() == [large[1].tolist(), large[0].tolist()]


def test_flat_pixels_run_along_the_rows():
    assert pixel_xy(torch.tensor([0, 4, 5, 14]), (3, 5)).tolist() == [[0, 0], [4, 0], [0, 1], [4, 2]]
