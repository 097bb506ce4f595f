"""The whole embedded backend on eight photographs of a turntable."""

from __future__ import annotations

from pathlib import Path

import networkx
import numpy as np
import pytest

from masks.progress import silent
from pairs.backends.classical.backend import make_classical
from pairs.prediction.store import PredictionStore
from pairs.views.load import load_views

PHOTOS = Path(__file__).parents[5] / "shared" / "data" / "oxford_dino"


@pytest.mark.photos
def test_pairs_of_a_turntable_are_cut_from_one_scene(tmp_path: Path) -> None:
    if not PHOTOS.is_dir():
        pytest.skip("the photographs of ../shared/data are not beside the repository")
    names = sorted((PHOTOS / "images").iterdir())[:8]
    views, _ = load_views(names, PHOTOS / "masks")
    backend, store, graph = make_classical(seed=0), PredictionStore(tmp_path), networkx.path_graph(8)
    predictions = backend.predict(views, graph, store, silent)
    assert predictions.views == views
    assert predictions.edges == tuple((k, k + 1) for k in range(7))
    assert predictions.cameras is not None
    for k, (a, b) in enumerate(predictions.edges):
        entry = predictions.load(k)
        assert entry.ab is not None
        assert entry.matches is not None
        assert len(entry.matches.conf) > 300
        # The same object pixels, seen from both sides, lie in one place.
        (x_a, y_a), (x_b, y_b) = (
            np.rint(xy).astype(int).T for xy in (entry.matches.xy_a, entry.matches.xy_b)
        )
        apart = np.linalg.norm(entry.ab.a_in_a[y_a, x_a] - entry.ab.b_in_a[y_b, x_b], axis=-1)
        assert np.median(apart) < 0.001, (a, b)
    again = backend.predict(views, graph, store, silent)
    np.testing.assert_array_equal(again.cameras.cam_from_world, predictions.cameras.cam_from_world)
    np.testing.assert_array_equal(again.load(3).ab.b_in_a, predictions.load(3).ab.b_in_a)
