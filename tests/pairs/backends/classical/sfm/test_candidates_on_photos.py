"""More photos than are compared all with all: those that look alike are still tried."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.candidates import promising_pairs
from pairs.backends.classical.sfm.features import features_of
from pairs.views.load import load_views

PHOTOS = Path(__file__).parents[6] / "shared" / "data" / "fox"


@pytest.mark.photos
def test_of_fifty_photos_by_hand_those_from_one_side_are_tried() -> None:
    if not PHOTOS.is_dir():
        pytest.skip("the photographs of ../shared/data are not beside the repository")
    views, _ = load_views(sorted((PHOTOS / "images").iterdir()), "none")
    options = SolveOptions()
    features = [features_of(view, options) for view in views]
    pairs = promising_pairs(features, False, options, lambda done, total: None)
    truth = {each["file"]: np.array(each["R"]) for each in json.loads((PHOTOS / "cameras.json").read_text())}
    axis = np.stack([truth[view.name][2] for view in views])
    apart = np.rad2deg(np.arccos(np.clip(axis @ axis.T, -1, 1)))
    np.fill_diagonal(apart, 180)
    nearest = [(min(a, b), max(a, b)) for a in range(50) for b in map(int, np.argsort(apart[a])[:3])]
    assert len(pairs) < 0.4 * 50 * 49 / 2  # 358 of 1225
    assert np.mean([pair in set(pairs) for pair in nearest]) > 0.9  # 0.95; drawn at random 0.29
