"""Pairs are joined in order, with their first place, and turned into positions."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pairs.matching.merge import away_from_border, merge_pairs, pixel_xy
from pairs.prediction.predictions import Matches, join_matches


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


def test_the_outer_three_pixels_of_either_picture_are_border():
    inner, outer = torch.tensor([[3, 3], [6, 4]]), torch.tensor([[2, 3], [7, 4]])
    assert away_from_border(inner, (8, 10), inner, (8, 10)).all()
    assert not away_from_border(inner, (8, 10), outer, (8, 10)).any()
    assert not away_from_border(outer, (8, 10), inner, (8, 10)).any()


def test_no_lists_join_to_the_empty_list():
    assert join_matches([]).xy_a.shape == (0, 2)
    one = Matches(np.ones((2, 2)), np.zeros((2, 2)), np.ones(2))
    assert len(join_matches([one, join_matches([]), one]).conf) == 4
