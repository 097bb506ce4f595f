from __future__ import annotations

import numpy as np
import pytest

from masks.errors import GraphError
from pairs.graph.reference_pairs import reference_pairs
from pairs.graph.scene_graphs import Complete, LogWindow, Star, Window


@pytest.mark.parametrize(
    ("text", "graph"),
    [
        ("complete", Complete()),
        ("swin-2", Window(2)),
        ("swin-2-noncyclic", Window(2, cyclic=False)),
        ("logwin-3", LogWindow(3)),
        ("logwin-3-noncyclic", LogWindow(3, cyclic=False)),
        ("oneref-4", Star(4)),
    ],
)
@pytest.mark.parametrize("num_views", [5, 9, 16])
def test_our_graphs_hold_the_pairs_of_the_reference(text, graph, num_views):
    ours = {tuple(edge) for edge in graph.edges([str(k) for k in range(num_views)]).edges}
    assert {(min(pair), max(pair)) for pair in reference_pairs(text, num_views)} == ours


def test_symmetrised_lists_append_all_reversed_pairs():
    assert reference_pairs("oneref", 3, symmetrize=True) == [(0, 1), (0, 2), (1, 0), (2, 0)]


def test_a_window_around_to_itself_pairs_a_view_with_itself():
    assert (1, 1) in reference_pairs("swin-3", 3)


def test_a_prefilter_that_leaves_nothing_is_an_error():
    with pytest.raises(GraphError, match="leaves no pair"):
        reference_pairs("oneref", 3, prefilter="seq0")


@pytest.mark.parametrize("text", ["ring", "complete-3", "retrieval-20-1-10-1", "retrieval-3-2", "oneref-x"])
def test_what_the_reference_refuses_is_refused(text):
    with pytest.raises(GraphError):
        reference_pairs(text, 5)


def test_key_pairs_of_a_retrieval_come_in_the_order_of_their_selection():
    position = np.array([0.0, 9.0, 5.0])
    similarity = 1 - abs(position[:, None] - position)
    assert reference_pairs("retrieval-3-0", 3, similarity=similarity, first_anchor=2) == [
        (2, 0),
        (2, 1),
        (0, 1),
    ]


def test_absurd_widths_end_at_once() -> None:
    assert reference_pairs("swin-999999999", 5) == reference_pairs("swin-5", 5)
    assert reference_pairs("logwin-999999999", 5) == reference_pairs("logwin-9", 5)


def test_a_prefilter_without_a_distance_is_named() -> None:
    with pytest.raises(GraphError, match="'seqx' has no distance"):
        reference_pairs("complete", 5, prefilter="seqx")
