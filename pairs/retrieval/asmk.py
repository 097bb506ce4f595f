"""Similarity of images by aggregated visual words in the binary form of ASMK (docs/pair_networks.md, "ASMK").

Every local feature goes to the nearest centroids of a codebook. What an image says about one of these words
is one bit a channel: on which side of the centroid its features lie, taken together. Two images are alike
when many of their words agree in many bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_BITS = 32  # of a packed number
# 64 MB in float32; 65536 centroids leave 256 features at a time.
_BLOCK = 1 << 24  # distances held at once: bounds the memory
# Unrelated words agree in about half of their bits, so their similarity scatters about 0: the cube makes next
# to nothing of it.
_POWER = 3


@dataclass(frozen=True, slots=True)
class ImageWords:
    """The distinct words of one image, ascending."""

    word: Tensor  # (U,) int64, numbers of centroids
    # (U, L) int64, 32 bits each, the first channel highest; channels that fill up the last number are 0
    bits: Tensor


@dataclass(frozen=True, slots=True)
class Assignment:
    """To how many nearest words a feature goes."""

    database: int = 1
    query: int = 5
    """More than one: a feature near a border finds its match on the other side of it."""


def similarity_matrix(
    features: Sequence[Tensor], centroids: Tensor, assignment: Assignment = Assignment()
) -> Tensor:
    """Return the similarity (V, V) float64 of images, every one (row) asked for among all (columns), from
    their
    features (F, C) each.

    Not symmetric, and an image is not 1 to itself: asking and being found use different numbers of words.
    Takes O(V (V + K)) time for V images and K centroids, and memory for the words of all images.
    """
    nearest = [
        nearest_words(image, centroids, max(assignment.query, assignment.database)) for image in features
    ]
    queries = [
        image_words(image, centroids, words[:, : assignment.query]) for image, words in zip(features, nearest)
    ]
    database = [
        image_words(image, centroids, words[:, : assignment.database])
        for image, words in zip(features, nearest)
    ]
    return scores(queries, database, len(centroids))


def nearest_words(features: Tensor, centroids: Tensor, count: int) -> Tensor:
    """Return the numbers (N, count) of the nearest of centroids (K, C) to features (N, C), nearest first;
    all, if there are fewer.
    """
    count = min(count, len(centroids))
    # |x - c|^2 = |x|^2 - 2 x c + |c|^2, and |x|^2 is the same for all centroids.
    length = (centroids**2).sum(1)
    block = max(1, _BLOCK // len(centroids))
    # The squared distance less the feature's own length, which is the same for all centroids.
    found = [
        (length - 2 * part @ centroids.mT).topk(count, dim=1, largest=False).indices
        for part in features.split(block)
    ]
    return torch.cat(found) if found else torch.empty((0, count), dtype=torch.int64, device=features.device)


def image_words(features: Tensor, centroids: Tensor, words: Tensor) -> ImageWords:
    """Return the words of one image from its features (N, C), each going to some of the centroids (K, C):
    those of the numbers (N, W).
    """
    # Sorted by word, so that the sums run in a fixed order on any device.
    ordered, order = words.flatten().sort(stable=True)
    residual = features[order // max(1, words.shape[1])] - centroids[ordered]
    word, lengths = ordered.unique_consecutive(return_counts=True)
    total = torch.segment_reduce(residual, "sum", lengths=lengths) if len(word) else residual
    return ImageWords(word, packed(total > 0))


def packed(signs: Tensor) -> Tensor:
    """Return bits (U, C) bool as numbers (U, ceil(C / 32)) int64."""
    missing = -signs.shape[1] % _BITS
    padded = torch.nn.functional.pad(signs.to(torch.int64), (0, missing))
    place = 2 ** torch.arange(_BITS - 1, -1, -1, device=signs.device)
    return (padded.unflatten(1, (-1, _BITS)) * place).sum(2)


def bit_count(numbers: Tensor) -> Tensor:
    """Return how many of the lower 32 bits are set, elementwise: neighbouring counts of 1, 2, 4, ... bits are
    added until one is left.
    """
    count = numbers - ((numbers >> 1) & 0x55555555)
    count = (count & 0x33333333) + ((count >> 2) & 0x33333333)
    count = (count + (count >> 4)) & 0x0F0F0F0F
    return ((count * 0x01010101) & 0xFFFFFFFF) >> 24


def scores(queries: Sequence[ImageWords], database: Sequence[ImageWords], num_words: int) -> Tensor:
    """Return the similarity (Q, D) float64 of every query with every image of the database."""
    word, bits = torch.cat([image.word for image in database]), torch.cat([image.bits for image in database])
    sizes = torch.tensor([len(image.word) for image in database], device=word.device)
    owner = torch.repeat_interleave(torch.arange(len(database), device=word.device), sizes)
    row_of_word = torch.full((num_words,), -1, device=word.device)
    rows = []
    for query in queries:
        row_of_word[query.word] = torch.arange(len(query.word), device=word.device)
        row = row_of_word[word]
        common = row >= 0
        agreement = similarity(query.bits[row[common]], bits[common])
        lengths = torch.bincount(owner[common], minlength=len(database))
        total = torch.segment_reduce(agreement.clamp(min=0) ** _POWER, "sum", lengths=lengths)
        # An image without features is like nothing.
        rows.append(total / (len(query.word) * sizes).clamp(min=1).sqrt())
        row_of_word[query.word] = -1
    return torch.stack(rows)


def similarity(bits_a: Tensor, bits_b: Tensor) -> Tensor:
    """Return 1 for equal and -1 for opposite bits (N, L), float64; filled-up bits agree and count."""
    # Filled-up bits agree on both sides, which lifts all similarities a little; the published scores have it.
    hamming = bit_count(bits_a ^ bits_b).sum(1)
    return 1 - 2 * hamming.double() / (_BITS * bits_a.shape[1])
