"""What the embedded backend makes of a graph."""

from __future__ import annotations

from pathlib import Path

import cv2
import networkx
import numpy as np
import pytest
from textured_disc import disc_scene, solve, views

from masks.errors import GraphError
from masks.notice import first_few
from masks.progress import silent
from pairs.backends.classical import backend, keys
from pairs.backends.classical.backend import Classical, make_classical, placed_edges, tied_views
from pairs.backends.classical.options import DepthOptions
from pairs.engines.processes import Processes
from pairs.prediction.store import PredictionStore


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


def test_a_placed_view_without_a_pair_is_left_out_by_name(tmp_path: Path) -> None:
    made = views(disc_scene((0, 5, 10, 15)), tmp_path)
    edges, notices = placed_edges(made, networkx.Graph([(1, 3), (0, 2)]), (0, 1, 3))
    assert edges == ((1, 2),)
    assert [notice.subject for notice in notices] == ["2.png", "0.png"]
    assert "no pair of the scene graph" in notices[1].text
    assert tied_views(edges) == ((1, 2), ((0, 1),))


def test_predictions_hold_only_views_that_a_pair_ties(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = disc_scene()
    made = views(scene, tmp_path / "photos")
    monkeypatch.setattr(backend, "solve_scene", lambda *_: solve(scene))
    graph = networkx.Graph([(1, 3), (3, 4)])
    whole = Classical(engine=Processes(1)).predict(
        made, networkx.complete_graph(5), PredictionStore(tmp_path / "store"), silent
    )
    some = Classical(engine=Processes(1)).predict(made, graph, PredictionStore(tmp_path / "store"), silent)
    assert [view.name for view in some.views] == ["1.png", "3.png", "4.png"]
    assert some.edges == ((0, 1), (1, 2))
    assert {notice.subject for notice in some.notices} == {"0.png", "2.png"}
    assert whole.cameras is not None
    assert some.cameras is not None
    np.testing.assert_array_equal(some.cameras.cam_from_world, whole.cameras.cam_from_world[[1, 3, 4]])
    one, other = some.load(1), whole.load(whole.edges.index((3, 4)))
    assert one.ab is not None
    assert other.ab is not None
    np.testing.assert_array_equal(one.ab.b_in_a, other.ab.b_in_a)


def test_long_lists_of_names_are_cut_short(tmp_path: Path) -> None:
    made = views(disc_scene(tuple(range(0, 16, 2))), tmp_path)
    graph = networkx.Graph([(0, other) for other in range(1, 8)] + [(1, 2)])
    _, notices = placed_edges(made, graph, tuple(range(1, 8)))
    assert notices[0].text.endswith("1.png, 2.png, 3.png, 4.png, 5.png, and 2 more.")
    assert first_few(["a", "b", "c", "d", "e"], "; ") == "a; b; c; d; e"


def test_the_version_of_backend_and_libraries_enters_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_classical(seed=0).key.startswith(keys.backend_version())
    assert cv2.__version__ in keys.backend_version()
    before = keys.stage_key("features", 1)
    assert keys.stage_key("matches", 1) != before
    monkeypatch.setattr(keys, "backend_version", lambda: "another release")
    assert keys.stage_key("features", 1) != before


def test_the_key_tells_options_apart_but_not_the_engine() -> None:
    key = make_classical(seed=0).key
    assert "\n" not in key
    assert Classical(engine=Processes(7)).key == key
    assert make_classical(seed=1).key != key
    assert Classical(depth=DepthOptions(max_planes=48)).key != key
