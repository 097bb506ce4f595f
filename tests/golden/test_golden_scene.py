"""Stored scenes in our arrangement."""

from __future__ import annotations

from golden_scene import fold_pairs
from hypothesis import given
from hypothesis import strategies as st

EDGE = st.tuples(st.integers(0, 6), st.integers(0, 6))


@given(st.lists(EDGE, max_size=30))
def test_folding_keeps_every_pair_and_its_copies(edges):
    folded = fold_pairs(edges)
    assert sum(count for *_, count in folded) == len(edges)
    for a, b, count in folded:
        assert (a, b) in edges
        assert count == sum(sorted(edge) == sorted((a, b)) for edge in edges)
