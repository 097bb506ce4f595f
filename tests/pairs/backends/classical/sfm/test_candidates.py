"""Which pairs of views are worth matching."""

from __future__ import annotations

import numpy as np

from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.candidates import distance_in_order, promising_pairs
from pairs.backends.classical.sfm.features import Features

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
    return set(promising_pairs(features, masked, SolveOptions(), lambda done: None))


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
