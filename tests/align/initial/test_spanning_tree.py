from __future__ import annotations

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.initial.spanning_tree import LINKAGES, Tree, build_tree, maximum_spanning_tree, rooted
from masks.errors import GraphError


def random_scores(seed: int, num_views: int) -> np.ndarray:
    upper = np.triu(
        np.random.default_rng(seed).permutation(num_views**2).reshape(num_views, num_views) + 1.0, 1
    )
    return upper + upper.T


@given(seed=st.integers(0, 1000), num_views=st.integers(2, 12))
def test_maximum_spanning_tree_is_that_of_the_library(seed, num_views):
    scores = random_scores(seed, num_views)
    tree = maximum_spanning_tree(scores)
    expected = networkx.maximum_spanning_tree(networkx.from_numpy_array(scores))
    assert {frozenset(edge) for edge in tree.edges} == {frozenset(edge) for edge in expected.edges}


@given(seed=st.integers(0, 1000), num_views=st.integers(1, 12), linkage=st.sampled_from(LINKAGES))
def test_clustered_trees_reach_every_view_once(seed, num_views, linkage):
    tree = build_tree(random_scores(seed, num_views), np.full((num_views, 2), (64, 48)), f"hclust-{linkage}")
    assert sorted([tree.root, *(child for _, child in tree.edges)]) == list(range(num_views))


def test_separate_parts_are_an_error_for_the_spanning_tree_and_linked_by_clustering():
    scores = np.zeros((4, 4))
    scores[0, 1] = scores[1, 0] = scores[2, 3] = scores[3, 2] = 5
    with pytest.raises(GraphError, match="2 separate parts"):
        maximum_spanning_tree(scores)
    assert len(build_tree(scores, np.full((4, 2), 64)).edges) == 3


def test_root_is_ranked_by_visits_and_not_by_hops():
    # A chain of five: visits from both ends are the hops, and the middle wins.
    assert rooted(5, [(0, 1), (1, 2), (2, 3), (3, 4)]).root == 2


@pytest.mark.parametrize("mode", ["", "hclust", "hclust-", "hclust-wards", "MST"])
def test_an_unknown_mode_lists_the_choices(mode):
    with pytest.raises(ValueError, match="hclust-ward"):
        build_tree(random_scores(0, 3), np.full((3, 2), 64), mode)


@pytest.mark.parametrize("edges", [((1, 2), (0, 1)), ((0, 1), (2, 1)), ((0, 0),)])
def test_a_child_never_comes_before_its_parent_nor_twice(edges):
    with pytest.raises(ValueError, match="does not hang"):
        Tree(0, edges)
