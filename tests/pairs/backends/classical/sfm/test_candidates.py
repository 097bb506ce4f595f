"""Which pairs of views are worth matching."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.candidates import distance_in_order, promising_pairs
from pairs.backends.classical.sfm.features import Features, comparable
from pairs.backends.classical.sfm.matching import mutual_matches

NUM_VIEWS, SHARED = 12, 30


def chain(rng: np.random.Generator, *, moving: bool = True) -> list[Features]:
    """Views that share features with the one five files further only, which is no neighbour in file order."""
    own = rng.integers(0, 256, (NUM_VIEWS, SHARED, 128), dtype=np.uint8)
    views = []
    for k in range(NUM_VIEWS):
        descriptors = np.concatenate([own[k], own[(k + 5) % NUM_VIEWS]])
        xy = np.tile(np.linspace(0, 300, SHARED), 2)[:, None] + np.array([[0, 40.0 * k if moving else 0.0]])
        views.append(
            Features(xy.astype(np.float32), rng.uniform(2, 9, 2 * SHARED).astype(np.float32), descriptors)
        )
    return views


def chosen(features: list[Features], *, masked: bool) -> set[tuple[int, int]]:
    return set(promising_pairs(features, masked, SolveOptions(), lambda done, total: None))


def test_views_that_share_features_are_chosen_and_so_are_neighbours() -> None:
    pairs = chosen(chain(np.random.default_rng(0)), masked=True)
    wanted = {
        (a, b)
        for a in range(NUM_VIEWS)
        for b in range(a + 1, NUM_VIEWS)
        if min(b - a, 12 - b + a) in (1, 2, 5)
    }
    assert pairs == wanted


def test_what_stands_still_does_not_speak_for_a_pair_without_masks() -> None:
    features = chain(np.random.default_rng(0), moving=False)
    assert all(distance_in_order(pair, NUM_VIEWS) <= 2 for pair in chosen(features, masked=False))
    assert any(distance_in_order(pair, NUM_VIEWS) == 5 for pair in chosen(features, masked=True))


def turn(num_views: int, rng: np.random.Generator) -> list[Features]:
    """Views about an object, each sharing fewer and fewer features with those up to ten steps on."""
    places = rng.integers(0, 256, (12 * num_views, 128), dtype=np.uint8)
    views = []
    for k in range(num_views):
        seen = places[np.arange(12 * k, 12 * k + 120) % len(places)]
        descriptors = (seen + rng.normal(0, 20, seen.shape)).clip(0, 255).astype(np.uint8)
        xy, size = rng.uniform(0, 300, (120, 2)), rng.uniform(2, 9, 120)
        views.append(Features(xy.astype(np.float32), size.astype(np.float32), descriptors))
    return views


def plain_pairs(features: list[Features], partners: int) -> set[tuple[int, int]]:
    """Match every pair, keep each view's partners with most matches, and the neighbours in order."""
    num_views = len(features)
    counts = np.zeros((num_views, num_views), int)
    for a, b in combinations(range(num_views), 2):
        first, second = (comparable(features[k].descriptors) for k in (a, b))
        counts[a, b] = counts[b, a] = len(mutual_matches(first, second, 0.9))
    pairs = {pair for pair in combinations(range(num_views), 2) if distance_in_order(pair, num_views) <= 2}
    for view in range(num_views):
        order = np.argsort(-counts[view], kind="stable")[:partners]
        pairs |= {(min(view, k), max(view, k)) for k in order.tolist() if counts[view, k] >= 4}
    return pairs


def test_of_many_views_few_pairs_are_tried_and_those_of_trying_all_are_chosen() -> None:
    features = turn(60, np.random.default_rng(0))
    tried: list[int] = []
    pairs = promising_pairs(features, True, SolveOptions(), lambda done, total: tried.append(total))
    assert set(pairs) == plain_pairs(features, SolveOptions().partners)
    assert pairs == sorted(pairs)
    assert len(tried) == tried[-1] < 0.8 * 60 * 59 / 2


def test_with_three_times_the_partners_or_less_every_pair_is_tried() -> None:
    tried: list[int] = []
    features = turn(37, np.random.default_rng(0))
    promising_pairs(features, True, SolveOptions(), lambda done, total: tried.append(total))
    assert len(tried) == 37 * 36 / 2
