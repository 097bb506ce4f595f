"""Masks that do not fit the surface of all views are mended by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from networkx import Graph
from solid_scene import everywhere, solid_scene, sphere

from align.made_masks.second_pass import has_mended_masks, mended_masks, with_second_pass
from align.pipeline import reconstruct
from align.scene import Scene
from masks.errors import OutputError
from masks.mask import Mask
from masks.notice import left_out
from masks.progress import Progress, silent
from pairs.prediction.predictions import GroupPrediction, Predictions
from pairs.prediction.store import PredictionStore
from pairs.views.cameras import Cameras
from pairs.views.grid import Cropping, GridOptions
from pairs.views.load import LoadOptions
from pairs.views.view import View

WRONG = (3, 8)


@dataclass(frozen=True)
class Exact:
    """Sees the ball as it is, wherever a mask says that it is."""

    scene: Scene
    key = "exact-1"
    fixed_grid = None

    def predict(
        self, views: Sequence[View], graph: Graph | None, store: PredictionStore, progress: Progress
    ) -> Predictions:
        position = {view.name: k for k, view in enumerate(self.scene.views)}
        own = [position[view.name] for view in views]
        depth = tuple(self.scene.views[k].depth for k in own)
        conf = tuple(np.full(each.shape, 6, np.float32) for each in depth)
        cameras = Cameras(self.scene.cameras.K[own], self.scene.cameras.cam_from_world[own])
        group = GroupPrediction(cameras, depth, conf)
        return Predictions(tuple(views), (), lambda k: pytest.fail("no pairs"), cameras, (), "network", group)


def views_of(scene: Scene) -> tuple[View, ...]:
    return tuple(
        View(v.name, Path(v.name), v.image, v.pixel_map, Mask(v.mask, "given"), "") for v in scene.views
    )


def with_masks(scene: Scene, masks: Sequence[np.ndarray]) -> Scene:
    return replace(scene, views=tuple(replace(v, mask=mask) for v, mask in zip(scene.views, masks)))


@pytest.fixture(scope="module")
def ball() -> Scene:
    return solid_scene(sphere(), everywhere(12))


@pytest.fixture(scope="module")
def loose(ball: Scene) -> Scene:
    """Return the ball with masks of two views that are six pixels too wide."""
    square = np.ones((13, 13), np.uint8)
    wide = {k: cv2.dilate(ball.views[k].mask.astype(np.uint8), square) > 0 for k in WRONG}
    return with_masks(ball, [wide.get(k, view.mask) for k, view in enumerate(ball.views)])


def test_masks_that_do_not_fit_are_drawn_anew_and_the_others_stay(ball: Scene, loose: Scene) -> None:
    found = mended_masks(loose, views_of(loose), silent)
    assert found is not None
    assert sorted(found.overlaps) == [loose.views[k].name for k in WRONG]
    for k, mask in enumerate(found.masks):
        if k in WRONG:
            true = ball.views[k].mask
            assert (mask.pixels & true).sum() / (mask.pixels | true).sum() > 0.97
        else:
            np.testing.assert_array_equal(mask.pixels, loose.views[k].mask)


def test_the_scene_is_made_again_with_them_and_says_so(loose: Scene, tmp_path: Path) -> None:
    loose = replace(loose, report=replace(loose.report, notices=(left_out("gone.png", "no photo"),)))
    given: list[tuple[Path, ...]] = []

    def again(photos: Sequence[Path], masks: Sequence[Mask]) -> Scene:
        given.append(tuple(photos))
        return replace(with_masks(loose, [mask.pixels for mask in masks]), report=type(loose.report)())

    found = with_second_pass(loose, views_of(loose), again, tmp_path / "mended", silent)
    assert given == [tuple(Path(view.name) for view in loose.views)]
    assert has_mended_masks(found)
    assert not has_mended_masks(loose)
    first, second = found.report.notices
    assert first.subject == "second pass"
    assert "03.png" in first.text
    assert "08.png" in first.text
    assert "/mended/" in first.text
    assert second.subject == "gone.png"
    for view in found.views:
        written = cv2.imread(str(tmp_path / "mended" / f"{view.name}.png"), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(written > 127, view.mask)
    # A mask that another run wrote may be replaced, and one that was corrected by hand may not.
    other = [
        replace(view, mask=Mask(np.roll(view.mask.pixels, 1), "other"))
        for view in views_of(loose)
        if view.mask
    ]
    with_second_pass(loose, other, again, tmp_path / "mended", silent)
    cv2.imwrite(str(tmp_path / "mended" / "03.png.png"), np.zeros((80, 88), np.uint8))
    with pytest.raises(OutputError, match=r"03\.png\.png: is not the mask"):
        with_second_pass(loose, views_of(loose), again, tmp_path / "mended", silent)


def test_a_second_scene_of_fewer_photos_is_not_taken(loose: Scene) -> None:
    cameras = Cameras(loose.cameras.K[:9], loose.cameras.cam_from_world[:9])
    fewer = replace(loose, views=loose.views[:9], cameras=cameras)
    found = with_second_pass(loose, views_of(loose), lambda photos, masks: fewer, None, silent)
    assert len(found.views) == len(loose.views)
    assert "9 instead of 12 photos" in found.report.notices[0].text


def test_masks_that_fit_need_no_second_pass(ball: Scene) -> None:
    def never(photos: Sequence[Path], masks: Sequence[Mask]) -> Scene:
        raise AssertionError

    found = with_second_pass(ball, views_of(ball), never, None, silent)
    assert "all masks fit the surface" in found.report.notices[0].text
    whole = with_masks(ball, [np.ones_like(view.mask) for view in ball.views])
    found = with_second_pass(whole, views_of(whole), never, None, silent)
    assert "no view has a mask" in found.report.notices[0].text


@pytest.mark.slow
def test_photos_and_masks_become_a_mended_scene_the_same_each_time(
    ball: Scene, loose: Scene, tmp_path: Path
) -> None:
    for view in loose.views:
        for folder, picture in (("photos", view.image), ("given", view.mask.astype(np.uint8) * 255)):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / view.name), picture)
    load = LoadOptions(grid=GridOptions(longest=88, crop=Cropping.OFF))

    def run(second_pass: bool) -> Scene:
        return reconstruct(
            tmp_path / "photos",
            tmp_path / "given",
            backend=Exact(ball),
            load=load,
            made_masks=tmp_path / "made",
            second_pass=second_pass,
            store=tmp_path / "store",
        )

    found, again, once = run(True), run(True), run(False)
    assert has_mended_masks(found)
    assert not has_mended_masks(once)
    assert sorted(found.report.figures["mended masks"]) == [ball.views[k].name for k in WRONG]
    for k, view in enumerate(found.views):
        assert view.mask.tobytes() == again.views[k].mask.tobytes()
        assert view.conf.tobytes() == again.views[k].conf.tobytes()
        beside = (view.mask & ~ball.views[k].mask).sum() / view.mask.sum()
        assert beside < 0.03
        assert (once.views[k].mask & ~ball.views[k].mask).any() == (k in WRONG)
    assert sorted(path.name for path in (tmp_path / "made" / "mended").iterdir()) == [
        *(f"{view.name}.png" for view in ball.views),
        "written.json",
    ]
