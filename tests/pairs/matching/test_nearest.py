"""Tiles change nothing but the time, and ties go to the first."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_maps import unit_desc

from pairs.matching.nearest import (
    by_distance,
    by_dot_product,
    by_tree,
    closeness,
    dot_products,
    nearest,
    nearest_both_ways,
)


@settings(max_examples=60)
@given(
    st.integers(0, 2**31),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 45),
    st.sampled_from([dot_products, closeness]),
)
def test_tiles_give_what_one_matrix_gives_also_on_ties(seed, rows, columns, block, similarity):
    # Small whole numbers: many ties, and every similarity is exact.
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.randint(-2, 3, (count, 2), generator=generator).double() for count in (rows, columns))
    whole = similarity(a, b)
    assert torch.equal(nearest(a, b, similarity, block), whole.argmax(1))
    index_a, index_b = nearest_both_ways(a, b, similarity, block)
    assert torch.equal(index_a, whole.argmax(1))
    assert torch.equal(index_b, whole.argmax(0))


def test_the_block_has_a_default_on_every_device():
    a, b = unit_desc(0).flatten(0, 1), unit_desc(1).flatten(0, 1)
    assert torch.equal(by_dot_product(b)(a), by_dot_product(b, 7)(a))


def test_on_unit_descriptors_all_finders_agree():
    a, b = unit_desc(0).flatten(0, 1), unit_desc(1).flatten(0, 1)
    found = [make(b)(a) for make in (by_dot_product, by_distance, by_tree, partial(by_distance, block=50))]
    assert all(torch.equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize("make", [by_dot_product, by_distance, by_tree])
def test_nothing_asked_is_nothing_found(make):
    found = make(torch.ones(3, 2))(torch.ones(0, 2))
    assert found.shape == (0,)
    assert found.dtype == torch.int64


def test_an_exact_copy_is_nearest_by_distance_however_long_the_descriptors():
    # Products of descriptors of length 1e4 in single precision can't tell neighbours a thousandth apart.
    b = torch.full((5, 4), 1e4) + torch.arange(5.0)[:, None] * 2e-3
    assert torch.equal(by_distance(b)(b), torch.arange(5))
