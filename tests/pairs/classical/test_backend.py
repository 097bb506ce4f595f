"""What the embedded backend makes of a graph."""

from __future__ import annotations

from pathlib import Path

import networkx
import pytest
from textured_disc import disc_scene, views

from masks.errors import GraphError
from pairs.classical.backend import Classical, make_classical, placed_edges
from pairs.classical.depth_options import DepthOptions


def test_edges_lead_between_placed_views_and_the_others_are_named(tmp_path: Path) -> None:
    made = views(disc_scene((0, 5, 10, 15)), tmp_path)
    graph = networkx.Graph([(3, 0), (1, 0), (2, 3), (1, 2)])
    edges, notices = placed_edges(made, graph, (0, 2, 3))
    assert edges == ((0, 2), (1, 2))
    (notice,) = notices
    assert notice.subject == "1.png"
    assert "0.png, 2.png" in notice.text


def test_a_graph_without_a_placed_pair_is_an_error(tmp_path: Path) -> None:
    made = views(disc_scene((0, 5, 10)), tmp_path)
    with pytest.raises(GraphError, match="none of the graph's 2 pairs"):
        placed_edges(made, networkx.Graph([(0, 1), (1, 2)]), (0, 2))


def test_the_key_tells_options_apart_but_not_workers() -> None:
    key = make_classical(0).key
    assert "\n" not in key
    assert Classical(workers=7).key == key
    assert make_classical(1).key != key
    assert Classical(depth=DepthOptions(max_planes=48)).key != key
