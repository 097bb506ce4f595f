"""Which pairs are worth predicting, by what the network remembers of the photos."""

from __future__ import annotations

from pathlib import Path

import networkx
import numpy as np
import pytest
from masked_photos import photos
from tiny_networks import tiny_network, write_pth
from tiny_retrieval import write_head

from masks.errors import UserError
from masks.progress import silent
from pairs.backends.dust3r.backend import PairNetworkOptions, make_mast3r
from pairs.backends.dust3r.similarity import object_tokens
from pairs.backends.pairwise import PairwiseBackend
from pairs.backends.protocol import SimilarityBackend
from pairs.graph.by_similarity import Retrieval
from pairs.prediction.store import PredictionStore
from pairs.views.view import View


def backend(folder: Path, **options: object) -> PairwiseBackend:
    weights = write_pth(folder / "tiny.pth", tiny_network())
    return make_mast3r(PairNetworkOptions(weights=weights, device="cpu", **options))  # pyright: ignore[reportArgumentType]


def twice(folder: Path) -> tuple[View, ...]:
    """Return four photos, and the same ones under other names."""
    return (*photos(folder / "one"), *photos(folder / "two"))


def test_equal_photos_are_equally_like_and_every_photo_is_encoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, views, store = (
        backend(tmp_path, retrieval=write_head(tmp_path)),
        twice(tmp_path),
        PredictionStore(tmp_path / "store"),
    )
    calls, plain = [], type(tiny_network()).encode
    monkeypatch.setattr(
        type(tiny_network()), "encode", lambda self, images: calls.append(1) or plain(self, images)
    )
    assert isinstance(made, SimilarityBackend)
    found = made.similarity(views, store, silent)
    assert found.shape == (8, 8)
    np.testing.assert_array_equal(found, np.tile(found[:4, :4], (2, 2)))
    assert len(np.unique(found)) > 4
    graph = Retrieval(2, 3).with_similarity(found).edges([view.name for view in views])
    assert networkx.is_connected(graph)
    assert graph.number_of_edges() < 28
    made.predict(views, graph, store, silent)
    assert len(calls) == 4  # equal photos are equal keys
    again = made.similarity(views, store, silent)
    np.testing.assert_array_equal(again, found)
    assert len(calls) == 4


def test_only_tokens_of_the_object_are_compared() -> None:
    inside = np.zeros((32, 48), bool)
    inside[17, 33] = inside[0, 15] = True
    position = np.stack(np.divmod(np.arange(6), 3), 1)
    tokens = object_tokens({"tokens": np.arange(6.0)[:, None], "positions": position, "inside": inside}, 16)
    assert tokens.tokens.flatten().tolist() == [0, 5]
    assert tokens.positions[0].tolist() == [[0, 0], [1, 2]]


def test_background_pixels_never_change_the_likeness(tmp_path: Path) -> None:
    made = backend(tmp_path, retrieval=write_head(tmp_path))
    one, two = (
        made.similarity(photos(tmp_path / str(k), backdrop=k), PredictionStore(tmp_path / "store"), silent)
        for k in range(2)
    )
    np.testing.assert_array_equal(one, two)


def test_many_views_are_paired_by_likeness_where_there_is_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pairs.backends.pairwise._COMPLETE_UP_TO", 3)
    found = backend(tmp_path, retrieval=write_head(tmp_path)).predict(
        photos(tmp_path), None, PredictionStore(tmp_path / "store"), silent
    )
    assert any("pairs that are alike" in notice.text for notice in found.notices)


def test_a_head_for_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="made for 12 channels, but this network's encoder has 16"):
        backend(tmp_path, retrieval=write_head(tmp_path, 12))


def test_without_a_model_the_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`retrieval=FILE`"):
        backend(tmp_path).similarity(photos(tmp_path), PredictionStore(tmp_path / "store"), silent)
