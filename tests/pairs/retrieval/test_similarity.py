from __future__ import annotations

import networkx
import numpy as np
import pytest
import torch

from masks.errors import GraphError
from pairs.backends.dust3r.similarity import photo_similarity
from pairs.graph.by_similarity import Retrieval, SimilarityGraph, parse_retrieval
from pairs.networks.dust3r.network import Encoded
from pairs.retrieval.files import RetrievalModel
from pairs.retrieval.head import HeadOptions, RetrievalHead


def scenes(num_photos: int) -> tuple[RetrievalModel, list[Encoded]]:
    """Return encodings of photos that change little from one to the next, each with noise of its own, and a
    model.
    """
    generator = torch.Generator().manual_seed(0)
    start, end = torch.randn(2, 1, 24, 40, generator=generator)
    share = torch.linspace(0, 1, num_photos)[:, None, None]
    tokens = (1 - share) * start + share * end + 0.05 * torch.randn(num_photos, 24, 40, generator=generator)
    positions = torch.stack([torch.arange(24) // 6, torch.arange(24) % 6], -1)[None]
    centroids = torch.randn(10, 40, generator=generator)
    model = RetrievalModel(RetrievalHead(HeadOptions(dim=40)), centroids)
    return model, [Encoded(one[None], positions, (64, 96)) for one in tokens]


def test_photos_of_one_place_are_liker_than_photos_of_two():
    model, encoded = scenes(6)
    found = photo_similarity(model, encoded)
    assert found.shape == (6, 6)
    assert found.dtype == np.float64
    for view in range(1, 5):
        assert found[view, view - 1 : view + 2].min() > found[view, [0, 5]].min() - 1e-12
    assert found[0, 1] > found[0, 5]


def test_a_batch_of_photos_is_as_good_as_one_by_one():
    model, encoded = scenes(4)
    together = Encoded(
        torch.cat([one.tokens for one in encoded]),
        torch.cat([one.positions for one in encoded]),
        encoded[0].size,
    )
    assert np.array_equal(photo_similarity(model, [together]), photo_similarity(model, encoded))


def test_a_graph_by_similarity_ties_neighbours_and_key_photos_together():
    model, encoded = scenes(8)
    names = [f"{k}.jpg" for k in range(8)]
    graph = Retrieval(3, 3).with_similarity(photo_similarity(model, encoded))
    assert isinstance(graph, SimilarityGraph)
    edges = graph.edges(names)
    assert networkx.is_connected(edges)
    assert edges.number_of_edges() < 28


def test_texts_of_the_command_line():
    assert parse_retrieval("20,10") == Retrieval(20, 10)
    assert parse_retrieval("") == Retrieval()
    assert [parse_retrieval(text) for text in ("20", "20-10", "20,x", "1,2,3", "-1,3", "²,3")] == [None] * 6


def test_a_graph_by_likeness_says_what_it_needs():
    with pytest.raises(GraphError, match="how alike the 3 views are"):
        Retrieval(3, 3).edges(["a", "b", "c"])
    with pytest.raises(GraphError, match="pairs nothing"):
        Retrieval(1, 1)
