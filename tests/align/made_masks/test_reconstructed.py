"""What a reconstruction begins with, where masks are made on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image
from still_backdrops import disc_before, iou, plain_backdrop
from table_scene import table_scene
from turning_body import MASKS, SIZE, options_with, put_solve, solve_of, write_photos

from align.made_masks.reconstructed import MaskedPhotos, has_made_masks, with_made_masks
from masks.errors import MaskError, OutputError
from masks.image_file import open_levels
from masks.notice import Level, info, warning
from masks.progress import silent
from pairs.backends.classical.backend import Classical
from pairs.backends.classical.options import SolveOptions
from pairs.engines.processes import Processes
from pairs.prediction.store import PredictionStore
from pairs.views.load import LoadOptions, load_views

DISTURBED = warning("stationary background", "40 % stand still")


@pytest.fixture
def store(tmp_path: Path) -> PredictionStore:
    return PredictionStore(tmp_path / "store")


@pytest.fixture
def photos(tmp_path: Path, store: PredictionStore) -> list[Path]:
    """Photos of a turning object, whose cameras are known and were disturbed by the backdrop."""
    paths = write_photos(tmp_path / "photos")
    put_solve(store, load_views(paths, "none")[0], solve_of(notices=(DISTURBED,)))
    return paths


def begun(
    photos: list[Path], store: PredictionStore, how: Literal["make", "auto"], folder: Path | None = None
) -> MaskedPhotos:
    backend = options_with(store).backend
    return with_made_masks(photos, how, LoadOptions(), backend, store.folder, folder, silent)


def made(found: MaskedPhotos) -> list[np.ndarray]:
    assert not isinstance(found.masks, (str, Path))
    return [mask.pixels for mask in found.masks]


@pytest.mark.parametrize("how", ["make", "auto"])
def test_masks_are_made_in_memory(
    tmp_path: Path, photos: list[Path], store: PredictionStore, how: Literal["make", "auto"]
) -> None:
    found = begun(photos, store, how)
    assert min(iou(mask, true) for mask, true in zip(made(found), MASKS)) > 0.95
    assert found.notices[0].level is (Level.INFO if how == "make" else Level.WARNING)
    assert "They lie in" not in found.notices[0].text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "store"]


def test_they_are_the_masks_that_are_written_and_a_second_run_solves_nothing_and_finds_them(
    tmp_path: Path, photos: list[Path], store: PredictionStore
) -> None:
    solved = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*.safetensors")}
    found = begun(photos, store, "auto", tmp_path / "made")
    assert "They lie in made/" in found.notices[0].text
    for photo, mask in zip(photos, made(found)):
        np.testing.assert_array_equal(open_levels(tmp_path / "made" / f"{photo.name}.png") > 127, mask)
    assert begun(photos, store, "auto", tmp_path / "made").notices == found.notices
    assert {path: path.stat().st_mtime_ns for path in store.folder.rglob("*.safetensors")} == solved
    # The report of the scene has them, behind what the scene's own report says.
    scene = table_scene(notices=(info("photos", "two sizes"),))
    told = found.reported(scene).report
    assert told.notices == (*found.notices, *scene.report.notices)
    assert has_made_masks(found.reported(scene))
    assert not has_made_masks(scene)
    assert MaskedPhotos("auto", found.backend).reported(scene) is scene


def test_masks_that_were_corrected_end_the_run_and_stay(
    tmp_path: Path, photos: list[Path], store: PredictionStore
) -> None:
    corrected = tmp_path / "made" / "03.png"
    corrected.parent.mkdir()
    Image.fromarray(MASKS[0].astype(np.uint8) * 255).save(corrected)
    with pytest.raises(OutputError, match=r"03\.png: is another mask .* `masks="):
        begun(photos, store, "auto", tmp_path / "made")
    assert [path.name for path in corrected.parent.iterdir()] == ["03.png"]


def test_auto_makes_none_where_there_are_some(photos: list[Path], store: PredictionStore) -> None:
    for photo in photos:
        Image.fromarray(MASKS[0].astype(np.uint8) * 255).save(photo.with_name(f"{photo.stem}_mask.png"))
    assert begun(photos, store, "auto").masks == "auto"


def test_auto_makes_none_of_photos_with_alpha(photos: list[Path], store: PredictionStore) -> None:
    for photo, mask in zip(photos, MASKS):
        image = Image.open(photo)
        image.putalpha(Image.fromarray(mask.astype(np.uint8) * 255))
        image.save(photo)
    assert begun(photos, store, "auto").masks == "auto"


def test_auto_leaves_plain_backdrops_to_those_who_ask(tmp_path: Path, store: PredictionStore) -> None:
    photos = []
    for k, photo in enumerate(disc_before(plain_backdrop(), num_views=3).photos):
        photos.append(tmp_path / f"{k}.png")
        Image.fromarray(photo).save(photos[-1])
    assert begun(photos, store, "auto") == MaskedPhotos("auto", options_with(store).backend)
    assert len(made(begun(photos, store, "make"))) == 3


def test_what_is_asked_for_and_cannot_be_is_an_error(tmp_path: Path, store: PredictionStore) -> None:
    rng = np.random.default_rng(0)
    photos = [tmp_path / f"{k}.png" for k in range(3)]
    for photo in photos:
        Image.fromarray(rng.integers(0, 256, (*SIZE[::-1], 3), np.uint8)).save(photo)
    with pytest.raises(MaskError, match="no masks were made"):
        begun(photos, store, "make")


def test_doubtful_masks_are_not_used_and_not_written(tmp_path: Path, store: PredictionStore) -> None:
    """Half of the photos show the backdrop alone."""
    photos = []
    for k in range(6):
        photo = np.full((*SIZE[::-1], 3), 245, np.uint8)
        photo[40:80, 60 + 5 * k : 100 + 5 * k] = (245, 245, 245) if k % 2 else (200, 60, 40)
        photos.append(tmp_path / f"{k}.png")
        Image.fromarray(photo).save(photos[-1])
    found = begun(photos, store, "make", tmp_path / "made")
    assert found.masks == "none"
    assert "3 of 6 made masks are doubtful, so none is used" in found.notices[-1].text
    assert found.figures is None
    assert not (tmp_path / "made").exists()


def test_cameras_of_a_stated_turntable_are_looked_for_without_its_step(
    photos: list[Path], store: PredictionStore
) -> None:
    """A step wants outlines, which there are none of before masks are made."""
    backend = Classical(SolveOptions(turntable=30.0), engine=Processes(1))
    found = with_made_masks(photos, "make", LoadOptions(), backend, store.folder, None, silent)
    assert found.backend is backend
    assert any("the cameras agree" in notice.text for notice in found.notices)
