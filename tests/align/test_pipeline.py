"""The whole pipeline in Python, where masks are made on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from still_backdrops import iou
from turning_body import MASKS, write_photos

from align.made_masks.reconstructed import has_made_masks
from align.pipeline import reconstruct
from align.scene import Scene
from masks.image_file import open_levels
from masks.notice import Level
from masks.pixelmap import image_to_target
from pairs.prediction.store import PredictionStore
from pairs.views.grid import GridOptions
from pairs.views.load import LoadOptions


def same_scenes(one: Scene, other: Scene) -> bool:
    pairs = zip(one.views, other.views, strict=True)
    arrays = all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for a, b in pairs
        for name in ("depth", "conf", "mask")
    )
    return arrays and np.array_equal(one.cameras.cam_from_world, other.cameras.cam_from_world)


@pytest.mark.slow
def test_masks_are_made_and_no_step_is_done_twice(tmp_path: Path) -> None:
    photos, store = write_photos(tmp_path / "photos"), PredictionStore(tmp_path / "store")
    load = LoadOptions(grid=GridOptions(longest=80))
    scene = reconstruct(tmp_path / "photos", load=load, store=store.folder)
    assert has_made_masks(scene)
    assert "masks were made and used" in scene.report.notices[0].text
    assert scene.report.notices[0].level is Level.WARNING
    assert len(scene.views) == len(photos)
    for view, true in zip(scene.views, MASKS):
        assert iou(view.mask, image_to_target(view.pixel_map, true)) > 0.9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "store"]

    finished = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*.safetensors")}
    made = tmp_path / "made"
    again = reconstruct(photos, "make", load=load, store=store.folder, made_masks=made)
    assert {path: path.stat().st_mtime_ns for path in store.folder.rglob("*.safetensors")} == finished
    assert same_scenes(again, scene)
    masks = [open_levels(made / f"{photo.name}.png") > 127 for photo in photos]
    assert min(iou(mask, true) for mask, true in zip(masks, MASKS)) > 0.9

    # What was written gives the same scene as a folder of masks.
    from_files = reconstruct(photos, made, load=load, store=store.folder)
    assert same_scenes(from_files, scene)
    assert not has_made_masks(from_files)
