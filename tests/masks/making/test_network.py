"""A network's opinion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from still_backdrops import SIZE, disc_before, iou, textured_backdrop
from tiny_onnx import red_is_salient

from masks.errors import MaskError
from masks.making.choice import Choice, Road
from masks.making.evidence import Evidence
from masks.making.made import helped
from masks.making.network import OnnxModel, network_evidence, with_network
from masks.making.refine import refined
from masks.making.roads import Taken


@pytest.fixture
def model(tmp_path: Path) -> OnnxModel:
    (tmp_path / "tiny.onnx").write_bytes(red_is_salient())
    return OnnxModel(tmp_path / "tiny.onnx")


def test_a_file_of_onnx_is_run(model: OnnxModel) -> None:
    photo = np.zeros((*SIZE, 3), np.uint8)
    photo[:, :80], photo[:, 80:] = (255, 0, 0), (0, 0, 255)
    chances = model(photo)
    assert chances.shape == SIZE
    assert chances[:, :70].min() > 0.95
    assert chances[:, 90:].max() < 0.05


def test_where_no_road_is_sure_its_opinion_becomes_outlines(model: OnnxModel) -> None:
    blue = np.full((*SIZE, 3), (40, 70, 190), float)
    still = disc_before(blue, num_views=2)
    taken = helped(Taken(Choice(None, "nothing is sure"), None), still.photos, model)
    assert taken.choice.road is Road.NETWORK
    assert taken.evidence is not None
    found = refined(taken.evidence, still.photos)
    assert min(iou(a, b) for a, b in zip(found.masks, still.masks)) > 0.9


def test_it_decides_only_where_nothing_else_does(model: OnnxModel) -> None:
    photo = np.full((*SIZE, 3), (255, 0, 0), np.uint8)
    known = np.full(SIZE, -2, np.float32)
    known[:60] = 0
    (logits,) = with_network(Evidence((known,), "test"), (photo,), model).logits
    assert logits[:60].min() > 0.8
    np.testing.assert_array_equal(logits[60:], -2)


def test_it_never_teaches_colours(model: OnnxModel) -> None:
    photos = disc_before(textured_backdrop(), num_views=1).photos
    assert np.abs(network_evidence(photos, model).logits[0]).max() < 1.2


def test_a_file_that_is_no_network_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    for name in ("text.onnx", "missing.onnx"):
        with pytest.raises(MaskError, match=name):
            OnnxModel(tmp_path / name)
