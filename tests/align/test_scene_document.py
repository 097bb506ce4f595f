"""A scene that is read is one that can be used: every field is checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from stored_scene import small_scene

from align.scene_folder import load_scene, save_scene
from masks.errors import FormatError

Change = Callable[[dict[str, Any]], None]


def entry(**changes: Any) -> Change:
    return lambda document: document["views"][1].update(changes)


def pixels(**changes: Any) -> Change:
    return lambda document: document["views"][1]["pixel_map"].update(changes)


def pose(row: int, column: int, value: float) -> Change:
    def change(document: dict[str, Any]) -> None:
        document["views"][1]["cam_from_world"][row][column] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(views=[]), "has no views"),
        (lambda d: d.update(views={}), "views should be a list"),
        (lambda d: d["views"].append(3), "view 3 should be an object"),
        (lambda d: d.pop("inputs"), "'inputs' is missing"),
        (lambda d: d.update(inputs=["a", 1]), "should be a text"),
        (lambda d: d.update(inputs=["a", "a"]), "twice among the inputs"),
        (lambda d: d.update(edges=[[0, 3]]), "does not name two of the 3 views"),
        (lambda d: d.update(edges=[[0, 0]]), "does not name two"),
        (lambda d: d.update(edges=[[0.0, 1]]), "does not name two"),
        (lambda d: d.update(report=[]), "report should be an object"),
        (lambda d: d["report"].update(figures="x"), "figures should be an object"),
        (lambda d: d["report"].update(figures={"placements": 1}), "placements should be a list"),
        (lambda d: d["report"]["notices"][0].update(level="loud"), "loud"),
        (lambda d: d["report"]["notices"][0].update(text=None), "should be a text"),
        (entry(name="0.jpg"), "twice among the views"),
        (entry(name=["0.jpg"]), "should be a text, not a list"),
        (entry(name="../0.jpg"), "no name of a photo's file"),
        (entry(name=""), "no name of a photo's file"),
        (entry(camera=1), "camera of 1.jpg should be a text"),
        (entry(K=np.zeros((3, 3)).tolist()), "no pinhole's"),
        (entry(K=[[10, 0, 5], [0, -10, 3], [0, 0, 1]]), "no pinhole's"),
        (entry(K=[[10, 0, 5], [0, 10, 3], [1, 0, 1]]), "no pinhole's"),
        (entry(K=[[10, 0, float("nan")], [0, 10, 3], [0, 0, 1]]), "finite"),
        (entry(K=[[10, 0], [0, 10]]), "3x3"),
        (entry(cam_from_world=np.zeros((4, 4)).tolist()), "no rotation"),
        (pose(0, 0, 2.0), "no rotation"),
        (pose(0, 3, float("inf")), "finite"),
        (pose(0, 3, 1e35), "no rotation and translation"),
        (pixels(scaled_size=[12]), "scaled_size .* needs 2 whole numbers"),
        (pixels(source_size=[float("inf"), 17]), "source_size"),
        (pixels(source_size=[10**9, 17]), "source_size"),
        (pixels(orientation=9), "orientation 9"),
        (pixels(orientation="1"), "orientation of 1.jpg should be a whole number"),
        (pixels(crop=[0, 0, 99, 16]), "not a pixel map"),
        (pixels(scaled_size=[12, 9]), "depth of 1.jpg"),
    ],
)
def test_a_field_that_cannot_be_is_named(tmp_path: Path, change: Change, said: str) -> None:
    save_scene(small_scene(), tmp_path)
    document = json.loads((tmp_path / "scene.json").read_text())
    change(document)
    (tmp_path / "scene.json").write_text(json.dumps(document))
    with pytest.raises(FormatError, match=f"the scene is damaged .*{said}.* Reconstruct it again"):
        load_scene(tmp_path)


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("depth/1", np.full((8, 12), np.nan, np.float32), "depth of 1.jpg has pixels"),
        ("depth/1", np.full((8, 12), np.inf, np.float32), "depth of 1.jpg has pixels"),
        ("depth/1", np.full((8, 12), -1, np.float32), "depth of 1.jpg has pixels"),
        ("depth/1", np.ones((8, 12), np.int32), "should be float32"),
        ("conf/1", np.full((8, 12), np.nan, np.float32), "confidence of 1.jpg has pixels"),
        ("conf/1", np.ones((12, 8), np.float32), "confidence of 1.jpg"),
        ("image/1", np.zeros((8, 12, 3), np.int16), "picture of 1.jpg is int16"),
        ("image/1", np.zeros((8, 12), np.uint8), "picture of 1.jpg"),
        ("mask/1", np.zeros((8, 12), np.float32), "mask of 1.jpg"),
    ],
)
def test_an_array_that_cannot_be_is_named(tmp_path: Path, name: str, array: np.ndarray, said: str) -> None:
    save_scene(small_scene(), tmp_path)
    # As older programs wrote it, without the digest that would tell that somebody has changed the arrays.
    document = json.loads((tmp_path / "scene.json").read_text())
    del document["arrays_digest"]
    (tmp_path / "scene.json").write_text(json.dumps(document))
    arrays = load_file(tmp_path / "views.safetensors")
    save_file(arrays | {name: array}, tmp_path / "views.safetensors")
    with pytest.raises(FormatError, match=f"the scene is damaged .*{said}"):
        load_scene(tmp_path)
