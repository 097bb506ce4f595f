from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from pairs.retrieval.asmk import Assignment, bit_count, image_words, nearest_words, packed, similarity_matrix


def photos(seed: int, channels: int = 40) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return features (F, C) of four images of different numbers of features, and a codebook (9, C)."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, channels, generator=generator) for count in (7, 1, 12, 5)], torch.randn(
        9, channels, generator=generator
    )


def plain_words(features: np.ndarray, centroids: np.ndarray, count: int) -> dict[int, np.ndarray]:
    """Return the bits (C,) of every word of an image, feature by feature."""
    residual: dict[int, np.ndarray] = {}
    for x in features:
        for word in np.argsort(np.linalg.norm(x - centroids, axis=1))[:count]:
            residual[word] = residual.get(word, 0) + (x - centroids[word])
    return {word: total > 0 for word, total in residual.items()}


def plain_score(query: dict[int, np.ndarray], image: dict[int, np.ndarray]) -> float:
    total = 0.0
    for word in query.keys() & image.keys():
        filled = 32 * -(-len(query[word]) // 32)
        similarity = 1 - 2 * float((query[word] != image[word]).sum()) / filled
        total += similarity**3 if similarity >= 0 else 0
    return total / (len(query) * len(image)) ** 0.5


@given(seed=st.integers(0, 50), channels=st.sampled_from([1, 31, 32, 40]), count=st.integers(1, 5))
def test_the_vectorised_similarity_is_the_plain_one(seed, channels, count):
    features, centroids = photos(seed, channels)
    found = similarity_matrix(features, centroids, Assignment(query=count))
    queries = [plain_words(image.double().numpy(), centroids.double().numpy(), count) for image in features]
    database = [plain_words(image.double().numpy(), centroids.double().numpy(), 1) for image in features]
    expected = torch.tensor(
        [[plain_score(query, image) for image in database] for query in queries], dtype=torch.float64
    )
    assert_close(found, expected)


def test_the_similarity_of_two_images_does_not_depend_on_the_others():
    features, centroids = photos(1)
    alone = similarity_matrix([features[0], features[2]], centroids)
    assert torch.equal(similarity_matrix(features, centroids)[[0, 2]][:, [0, 2]], alone)


def test_an_image_is_liker_to_itself_than_to_others():
    features, centroids = photos(2)
    found = similarity_matrix([features[0], features[2]], centroids)
    assert found[0, 0] > found[0, 1]
    assert found[1, 1] > found[1, 0]


def test_the_order_of_features_does_not_matter():
    features, centroids = photos(3)
    words = nearest_words(features[2], centroids, 5)
    turned = image_words(features[2].flip(0), centroids, words.flip(0))
    straight = image_words(features[2], centroids, words)
    assert torch.equal(turned.word, straight.word)
    assert torch.equal(turned.bits, straight.bits)


def test_an_image_without_features_is_like_nothing():
    features, centroids = photos(4)
    found = similarity_matrix([*features, torch.empty(0, 40)], centroids)
    assert (found[-1] == 0).all()
    assert (found[:, -1] == 0).all()


def test_more_words_than_the_codebook_has_are_all_of_them():
    features, centroids = photos(5)
    assert nearest_words(features[0], centroids, 100).shape == (7, 9)


def test_bits_are_packed_from_the_highest():
    signs = torch.zeros(1, 33, dtype=torch.bool)
    signs[0, [0, 31, 32]] = True
    assert packed(signs).tolist() == [[2**31 + 1, 2**31]]


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1))
def test_set_bits_are_counted(numbers):
    assert bit_count(torch.tensor(numbers)).tolist() == [number.bit_count() for number in numbers]
