from __future__ import annotations

from collections.abc import Iterable

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masks.errors import GraphError
from pairs.graph.by_similarity import SimilarityGraph
from pairs.graph.scene_graphs import (
    Complete,
    FromFile,
    LogWindow,
    Ring,
    SceneGraph,
    Star,
    Window,
    parse_graph,
)

GRAPHS = [
    Complete(),
    Ring(),
    Window(3),
    Window(2, cyclic=False),
    LogWindow(3),
    LogWindow(4, cyclic=False),
    Star(0),
]


def named(num_views: int) -> list[str]:
    return [f"{k}.jpg" for k in range(num_views)]


@st.composite
def graphs_and_sizes(draw: st.DrawFn) -> tuple[SceneGraph, int]:
    """Any graph and a number of views; for retrieval, of views that often look the same."""
    num_views = draw(st.integers(2, 20))
    if draw(st.booleans()):
        return draw(st.sampled_from(GRAPHS)), num_views
    looks = np.array(draw(st.lists(st.integers(0, 2), min_size=num_views, max_size=num_views)))
    similarity = 1 - np.abs(np.subtract.outer(looks, looks)) / 2
    keys, neighbours, seed = (draw(st.integers(least, 25)) for least in (1, 1, 0))
    return SimilarityGraph(similarity, keys, neighbours, seed), num_views


@given(graphs_and_sizes())
def test_every_graph_ties_all_views_together_without_loops(graph_and_size):
    graph, num_views = graph_and_size
    edges = graph.edges(named(num_views))
    assert list(edges.nodes) == list(range(num_views))
    assert networkx.is_connected(edges)
    assert networkx.number_of_selfloops(edges) == 0
    assert list(edges.edges) == sorted(edges.edges)


@pytest.mark.parametrize(
    ("graph", "num_views", "expected"),
    [
        (Complete(), 8, 28),
        (Window(3), 16, 48),
        (Window(3, cyclic=False), 16, 42),
        (Window(5), 4, 6),
        (Ring(), 16, 48),
        (LogWindow(4), 32, 128),
        (LogWindow(3, cyclic=False), 5, 8),
        (Star(2), 5, 4),
        (Complete(), 1, 0),
    ],
)
def test_numbers_of_pairs(graph, num_views, expected):
    assert graph.edges(named(num_views)).number_of_edges() == expected


def test_star_has_its_centre_in_every_pair():
    assert all(2 in edge for edge in Star(2).edges(named(6)).edges)
    with pytest.raises(GraphError, match="0 to 3"):
        Star(4).edges(named(4))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("complete", Complete()),
        ("ring", Ring()),
        ("window", Window()),
        ("window:5", Window(5)),
        ("window:5:open", Window(5, cyclic=False)),
        ("window:open", Window(cyclic=False)),
        ("logwindow:4", LogWindow(4)),
        ("star", Star()),
        ("star:3", Star(3)),
    ],
)
def test_texts_of_the_command_line(text, expected):
    assert parse_graph(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "all",
        "Complete",
        "complete:3",
        "window:x",
        "window:3:closed",
        "window:-1",
        "window:1:2",
        "star:a",
        "star:1:2",
        "file:",
    ],
)
def test_an_unknown_text_lists_the_choices(text):
    with pytest.raises(GraphError, match="complete, ring, window:3"):
        parse_graph(text)


def test_an_empty_window_is_an_error():
    with pytest.raises(GraphError, match="1 or more"):
        parse_graph("window:0")


def test_pairs_of_a_file(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("# pairs\nb.jpg a.jpg\n\na.jpg\tc d.jpg\nb.jpg a.jpg\n")
    graph = parse_graph(f"file:{path}")
    assert list(graph.edges(["a.jpg", "b.jpg", "c d.jpg"]).edges) == [(0, 1), (0, 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b\na x\n", "line 2: there is no view 'x'. The views are a, b"),
        ("a b c\n", "line 1: 3 names"),
        ("a\n", "line 1: 1 names"),
        ("b b\n", "line 1: view 'b' is paired with itself"),
        ("# nothing\n", "no pairs"),
    ],
)
def test_a_bad_line_is_named_with_its_file(tmp_path, text, message):
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    with pytest.raises(GraphError, match=message) as error:
        FromFile(path).edges(["a", "b"])
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(GraphError, match="gone"):
        FromFile(tmp_path / "gone.txt").edges(["a", "b"])


@given(seed=st.integers(0, 100), num_views=st.integers(2, 12))
def test_retrieval_pairs_every_view_and_is_the_same_for_the_same_seed(seed, num_views):
    points = np.random.default_rng(seed).normal(size=(num_views, 3))
    similarity = 1 - np.linalg.norm(points[:, None] - points, axis=-1)
    graph = SimilarityGraph(similarity, num_anchors=3, num_neighbours=3, seed=seed)
    edges = graph.edges(named(num_views))
    assert all(degree > 0 for _, degree in edges.degree)
    assert list(edges.edges) == list(graph.edges(named(num_views)).edges)


def test_retrieval_refuses_similarities_of_other_views():
    with pytest.raises(GraphError, match="4 views"):
        SimilarityGraph(np.eye(3)).edges(named(4))


@given(num_views=st.integers(1, 30), size=st.integers(1, 70), cyclic=st.booleans())
def test_windows_end_where_nothing_new_comes(num_views: int, size: int, cyclic: bool) -> None:
    def plain(offsets: Iterable[int]) -> set[tuple[int, int]]:
        pairs = ((view, view + offset) for offset in offsets for view in range(num_views))
        kept = ((a, b % num_views) for a, b in pairs if cyclic or b < num_views)
        return {(min(pair), max(pair)) for pair in kept if pair[0] != pair[1]}

    names = named(num_views)
    assert set(Window(size, cyclic).edges(names).edges) == plain(range(1, size + 1))
    assert set(LogWindow(size, cyclic).edges(names).edges) == plain(2**k for k in range(size))


@pytest.mark.parametrize("text", ["window:999999999", "logwindow:999999999", "logwindow:999999999:open"])
def test_an_absurd_width_ends_at_once(text: str) -> None:
    assert parse_graph(text).edges(named(8)).number_of_edges() <= 28


@pytest.mark.parametrize("text", ["window:" + "9" * 5000, "retrieval:" + "9" * 5000 + ",1", "x" * 5000])
def test_a_long_name_is_refused_shortly(text: str) -> None:
    with pytest.raises(GraphError, match="is not a scene graph") as refused:
        parse_graph(text)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_path_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(GraphError, match=r"cannot read the list of pairs .* two view names a line"):
        parse_graph(f"file:{name}").edges(["a", "b"])
