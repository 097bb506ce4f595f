"""Similarity by shared visual words."""

from __future__ import annotations

import numpy as np

from pairs.backends.classical.sfm.features import comparable
from pairs.backends.classical.sfm.word_similarity import similarity_to, vocabulary, word_similarity


def descriptors(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return as many unlike descriptors as SIFT might find."""
    return rng.integers(0, 256, (count, 128), dtype=np.uint8)


def seen_again(rng: np.random.Generator, original: np.ndarray) -> np.ndarray:
    """Return descriptors of the same places in another photo."""
    noisy = original + rng.normal(0, 12, original.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def test_views_are_as_similar_as_what_they_share() -> None:
    rng = np.random.default_rng(0)
    places = descriptors(rng, 400)
    # Each view sees 100 places and shares 75, 50, 25 and none of them with those after it.
    views = [comparable(seen_again(rng, places[25 * k : 25 * k + 100])) for k in range(12)]
    similarity = word_similarity(views)
    np.testing.assert_array_equal(similarity, similarity.T)
    np.testing.assert_allclose(similarity.diagonal(), 1)
    by_distance = [similarity.diagonal(step).mean() for step in (1, 2, 3, 4)]
    assert (np.diff(by_distance) < -0.1).all()
    assert by_distance[-1] < by_distance[0] / 4


def test_what_all_views_show_makes_none_similar() -> None:
    rng = np.random.default_rng(0)
    backdrop, own = descriptors(rng, 200), [descriptors(rng, 50) for _ in range(6)]
    views = [comparable(np.concatenate([seen_again(rng, backdrop), mine])) for mine in own]
    assert word_similarity(views)[np.triu_indices(6, 1)].mean() < 0.1


def test_a_view_without_features_is_like_none() -> None:
    rng = np.random.default_rng(0)
    views = [comparable(descriptors(rng, count)) for count in (30, 0, 30)]
    assert (word_similarity(views)[1] == 0).all()


def test_without_any_features_nothing_is_similar() -> None:
    assert (word_similarity([np.zeros((0, 128), np.float32)] * 3) == 0).all()


def test_a_further_view_is_compared_as_the_views_are_with_one_another() -> None:
    rng = np.random.default_rng(0)
    places = descriptors(rng, 300)
    views = [comparable(seen_again(rng, places[25 * k : 25 * k + 100])) for k in range(8)]
    known = vocabulary(views)
    np.testing.assert_array_equal(similarity_to(known, views[3]), word_similarity(views)[3])
    further = similarity_to(known, comparable(seen_again(rng, places[75:175])))
    assert further.argmax() == 3
    assert (similarity_to(known, np.zeros((0, 128), np.float32)) == 0).all()
