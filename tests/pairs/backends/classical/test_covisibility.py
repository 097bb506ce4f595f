"""The backend's own choice of pairs."""

import networkx
import numpy as np

from pairs.backends.classical.covisibility import LEAST_SHARED, PARTNERS, covisible_graph
from pairs.backends.classical.sfm.solve import SceneSolve, shared_points
from pairs.views.cameras import Cameras


def solve_of(seen: list[set[int]], placed: tuple[int, ...]) -> SceneSolve:
    by = np.concatenate([np.full(len(points), k) for k, points in enumerate(seen)])
    point = np.concatenate([sorted(points) for points in seen]).astype(int)
    num_points = int(point.max()) + 1
    cameras = Cameras(np.tile(np.eye(3), (len(seen), 1, 1)), np.tile(np.eye(4), (len(seen), 1, 1)))
    return SceneSolve(placed, cameras, np.zeros((num_points, 3)), point, by, np.zeros((len(by), 2)), ())


def test_shared_points_are_counted_pairwise() -> None:
    shared = shared_points(solve_of([{0, 1, 2}, {1, 2, 3}, {3}], (0, 1, 2)))
    np.testing.assert_array_equal(shared, [[0, 2, 0], [2, 0, 1], [0, 1, 0]])


def test_ring_neighbours_are_chosen_whatever_the_file_order() -> None:
    num_views, reach = 20, 60
    order = np.random.default_rng(0).permutation(num_views)
    seen = [{(20 * place + k) % (20 * num_views) for k in range(reach)} for place in order]
    graph = covisible_graph(solve_of(seen, tuple(range(num_views))), num_views)
    apart = [
        min((order[a] - order[b]) % num_views, (order[b] - order[a]) % num_views) for a, b in graph.edges
    ]
    assert set(apart) == {1, 2}
    assert max(degree for _, degree in graph.degree) <= 2 * PARTNERS


def test_a_view_that_shares_little_keeps_its_best_partner() -> None:
    common = set(range(LEAST_SHARED + 5))
    graph = covisible_graph(solve_of([common, common, {0, 1, 99}], (0, 2, 3)), 5)
    assert sorted(tuple(sorted(edge)) for edge in graph.edges) == [(0, 2), (0, 3)]
    assert list(graph.nodes) == [0, 1, 2, 3, 4]


def test_near_identical_photos_do_not_cut_the_graph_in_two() -> None:
    left, right = set(range(100)), set(range(90, 190))
    graph = covisible_graph(
        solve_of([left] * (PARTNERS + 2) + [right] * (PARTNERS + 2), tuple(range(2 * PARTNERS + 4))),
        2 * PARTNERS + 4,
    )
    assert networkx.is_connected(graph)
