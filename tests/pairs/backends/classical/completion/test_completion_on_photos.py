"""White plaster on a turntable: features place half of the views, outlines the others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from masks.progress import silent
from pairs.backends.classical.backend import make_classical
from pairs.prediction.store import PredictionStore
from pairs.views.load import load_views

PHOTOS = Path(__file__).parents[6] / "shared" / "data" / "dinoSparseRing"


@pytest.mark.photos
def test_all_views_of_white_plaster_are_placed(tmp_path: Path) -> None:
    if not PHOTOS.is_dir():
        pytest.skip("the photographs of ../shared/data are not beside the repository")
    views, _ = load_views(sorted((PHOTOS / "images").iterdir()), PHOTOS / "masks")
    predictions = make_classical(seed=0).predict(views, None, PredictionStore(tmp_path), silent)
    assert len(predictions.views) == 16
    assert predictions.group is not None
    truth = {each["file"]: np.array(each["R"]) for each in json.loads((PHOTOS / "cameras.json").read_text())}
    R = predictions.group.cameras.cam_from_world[:, :3, :3]
    true = np.stack([truth[view.name] for view in predictions.views])
    off = (R @ R[8].T) @ (true @ true[8].T).transpose(0, 2, 1)
    error = np.rad2deg(np.arccos(np.clip((np.trace(off, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert error.max() < 0.8
    assert sum("by its outline" in notice.text for notice in predictions.notices) == 2
