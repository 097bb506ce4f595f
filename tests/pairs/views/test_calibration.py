"""Calibrations and the photos that they are for; every way in which they can be wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from masks.errors import FormatError
from masks.image_file import ImageFacts, probe_image
from masks.lens import Lens, ideal_frame, remap_to_photo
from masks.notice import Level, Notice
from masks.pixelmap import present
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.features import features_of
from pairs.backends.dust3r.images import NetworkGrid, network_input, on_network_grid
from pairs.backends.vggt.images import VggtGrid, on_vggt_grid, vggt_input
from pairs.views.calibration import calibrated
from pairs.views.imported_camera import ImportedCamera, ImportedCameras
from pairs.views.load import LoadOptions, load_views
from pairs.views.photos import load_photo
from pairs.views.view import View, grid_mask

K = np.array([[300.0, 0, 162.0], [0, 302.0, 118.0], [0, 0, 1]])
BARREL = Lens("OPENCV", (-0.2, 0.03, 0.002, -0.001))
POSE = np.eye(4)


def smooth(seed: int = 0) -> np.ndarray:
    """Return a picture of blobs, which resampling hardly changes."""
    noise = np.random.default_rng(seed).normal(size=(240, 320, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.clip(128 + 900 * soft / np.abs(soft).max() / 6, 0, 255).astype(np.uint8)


def camera(file: str = "", size: tuple[int, int] = (320, 240), lens: Lens | None = None) -> ImportedCamera:
    return ImportedCamera(file, size, K, lens, POSE, f"lens.json: {file or size}")


def stated(*cameras: ImportedCamera) -> ImportedCameras:
    return ImportedCameras("lens.json", "cameras.json", cameras)


def write(folder: Path, name: str, size: tuple[int, int] = (320, 240), orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(smooth(len(name))).resize(size).save(folder / name, exif=exif)
    return folder / name


def facts(
    folder: Path, *names: str, size: tuple[int, int] = (320, 240), orientation: int = 1
) -> list[ImageFacts]:
    return [probe_image(write(folder, name, size, orientation)) for name in names]


def texts(notices: tuple[Notice, ...], level: Level = Level.INFO) -> str:
    return " ".join(notice.text for notice in notices if notice.level is level)


def test_cameras_are_found_by_name_and_lose_their_poses(tmp_path: Path) -> None:
    other = replace(camera("x/b.png"), K=2 * K)
    cameras, notices = calibrated(
        facts(tmp_path, "a.png", "b.png"), stated(other, camera("a.png"), *map(camera, "12345"))
    )
    assert [found.file for found in cameras] == ["a.png", "x/b.png"]
    assert all(found.cam_from_world is None for found in cameras)
    assert texts(notices).endswith("without distortion: 2 cameras. of no photo here: 1, 2, 3 and 2 more.")


def test_one_camera_is_for_all_photos_of_its_size(tmp_path: Path) -> None:
    small = facts(tmp_path, "a.png", size=(160, 120)) + facts(tmp_path, "b.png")
    cameras, notices = calibrated(small, stated(camera(), camera(size=(160, 120)), camera(size=(50, 50))))
    assert [found.size for found in cameras] == [(160, 120), (320, 240)]
    assert texts(notices) == "K of all photos from the cameras.json lens.json, without distortion: 2 cameras."


def test_a_photo_made_smaller_scales_the_calibration_by_the_half_pixel_law(tmp_path: Path) -> None:
    # 0.3 % off in its proportions, as rounding leaves them.
    (found,), notices = calibrated(facts(tmp_path, "a.png", size=(161, 120)), stated(camera()))
    np.testing.assert_allclose(found.K[0, 2], (162.0 + 0.5) * 161 / 320 - 0.5)
    np.testing.assert_allclose(found.K[1], [0, 151, (118.0 + 0.5) / 2 - 0.5])
    assert texts(notices).endswith("1 camera. scaled from 320x240 to 161x120, the size of a.png.")


def test_a_calibration_of_the_stored_file_is_turned_as_exif_turns_the_photo(tmp_path: Path) -> None:
    (found,), notices = calibrated(
        facts(tmp_path, "a.png", orientation=6), stated(camera(lens=Lens("OPENCV", (0, 0, 0.01, 0.02))))
    )
    assert found.size == (240, 320)
    # Orientation 6 shows the file's left edge on top: x of the upright photo is 239 - y of the file.
    np.testing.assert_allclose(found.K, [[302, 0, 239 - 118], [0, 300, 162], [0, 0, 1]])
    assert found.lens == Lens("OPENCV", (0, 0, 0.02, -0.01))
    assert "scaled" not in texts(notices)


@pytest.mark.parametrize(
    ("size", "cameras", "words"),
    [
        (
            (240, 240),
            (camera("a.png"),),
            r"a\.png: calibrated for 320x240, the photo a\.png is 240x240: a c",
        ),
        ((240, 320), (camera("a.png"),), "turned by a quarter, and its file does not say which way"),
        (
            (240, 240),
            (camera(),),
            r"\(320, 240\): calibrated for 320x240, the photo a\.png is 240x240",
        ),
        ((320, 240), (camera("x.png"), camera("y.png")), "names none of the photos. It names x.png, y.png"),
        ((320, 240), (camera("b.png"),), r"lens.json: no camera for a\.png, 1 of 2 photos. Add"),
        ((320, 240), (camera("a.png"), camera("a.png")), r"two cameras for a\.png: a\.png, and again"),
        ((320, 240), (camera(), camera()), "two cameras for photos of 320x240, as a.png is"),
        ((160, 120), (camera(), camera(size=(640, 480))), "two cameras for photos of 160x120"),
        ((320, 240), (), "holds no camera"),
    ],
)
def test_calibrations_of_other_photos_are_refused(
    tmp_path: Path, size: tuple[int, int], cameras: tuple[ImportedCamera, ...], words: str
) -> None:
    photos = facts(tmp_path, "a.png", size=size)
    if "of 2 photos" in words:
        photos = facts(tmp_path, "b.png") + photos
    with pytest.raises(FormatError, match=words):
        calibrated(photos, stated(*cameras))


def distorted(folder: Path, names: tuple[str, ...] = ("a.png", "b.png")) -> list[np.ndarray]:
    """Write photos that the lens makes of ideal pictures, and return these."""
    frame = ideal_frame(BARREL, K, (320, 240))
    ideals = []
    for seed, name in enumerate(names):
        ideals.append(cv2.resize(smooth(seed), frame.ideal_size, interpolation=cv2.INTER_CUBIC))
        Image.fromarray(remap_to_photo(frame, (320, 240), ideals[-1])).save(folder / name)
    return ideals


def loaded(folder: Path, lens: Lens | None = BARREL, masks: str | Path = "none"):
    return load_views(folder, masks, LoadOptions(calibration=stated(camera(lens=lens))))


def test_views_show_the_photos_without_their_distortion(tmp_path: Path) -> None:
    ideals = distorted(tmp_path)
    views, _ = loaded(tmp_path)
    frame = ideal_frame(BARREL, K, (320, 240))
    for view, ideal in zip(views, ideals):
        assert view.pixel_map.undistortion == frame
        np.testing.assert_array_equal(view.K, frame.K_ideal)
        assert view.camera == "calibration 1 320x240"
        inside = cv2.erode(present(view.pixel_map.to_ideal()).astype(np.uint8), np.ones((9, 9))) > 0
        assert np.abs(load_photo(view)[inside].astype(int) - ideal[inside]).max() <= 6


def pair_images(views: Sequence[View]) -> np.ndarray:
    """Return what a pair network sees of the first view (3, H, W)."""
    return network_input(on_network_grid(views[0], NetworkGrid(size=64)))[0].numpy()


def vggt_images(views: Sequence[View]) -> np.ndarray:
    """Return what VGGT sees of the first view (3, H, W)."""
    return vggt_input(on_vggt_grid(views, VggtGrid(size=56)))[0].numpy() * 2 - 1


@pytest.mark.parametrize("images_of", [pair_images, vggt_images])
def test_networks_see_the_picture_without_its_distortion(
    tmp_path: Path, images_of: Callable[[Sequence[View]], np.ndarray]
) -> None:
    ideals = distorted(tmp_path)
    (tmp_path / "straight").mkdir()
    for name, ideal in zip(("a.png", "b.png"), ideals):
        Image.fromarray(ideal).save(tmp_path / "straight" / name)
    seen = images_of(loaded(tmp_path)[0])
    wanted = images_of(load_views(tmp_path / "straight", "none")[0])
    unaware = images_of(load_views(tmp_path, "none")[0])
    # The absent rim is black in the one picture and not in the other; filters spread it a little.
    middle = np.s_[:, 10:-10, 14:-14]
    assert seen.shape == wanted.shape
    assert np.abs(seen - wanted)[middle].max() < 0.05
    assert np.abs(unaware - wanted)[middle].max() > 0.15


def test_what_no_photo_pixel_feeds_is_no_object_and_has_no_features(tmp_path: Path) -> None:
    distorted(tmp_path)
    view = loaded(tmp_path)[0][0]
    shown = present(view.pixel_map)
    assert not shown.all()
    np.testing.assert_array_equal(grid_mask(view), shown)
    options = SolveOptions()
    xy = features_of(view, options).xy
    away = np.ones((2 * options.mask_inset_px - 1,) * 2, np.uint8)
    near = cv2.erode(present(view.pixel_map.to_ideal()).astype(np.uint8), away)
    assert len(xy) > 20
    assert near[tuple(np.round(xy[:, ::-1]).astype(int).T)].all()


def test_masks_are_undistorted_with_their_photos(tmp_path: Path) -> None:
    ideals = distorted(tmp_path)
    frame = ideal_frame(BARREL, K, (320, 240))
    disc = np.hypot(*(np.indices(ideals[0].shape[:2]) - np.array([[[90]], [[250]]]))) < 60
    (tmp_path / "masks").mkdir()
    for name in ("a.png", "b.png"):
        bent = remap_to_photo(frame, (320, 240), disc)
        Image.fromarray(bent.astype(np.uint8) * 255).save(tmp_path / "masks" / name)
    views, notices = loaded(tmp_path, masks=tmp_path / "masks")
    assert views[0].mask is not None
    assert np.mean(views[0].mask.pixels != disc) < 0.001
    # The photos show no disc.
    warned = [notice.text for notice in notices if notice.level is Level.WARNING]
    assert all("chance" in text or "on their photos" in text for text in warned)


def with_masks(folder: Path, inside: np.ndarray) -> Path:
    for name in ("a.png", "b.png"):
        write(folder, name)
    (folder / "masks").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(inside.astype(np.uint8) * 255).save(folder / "masks" / name)
    return folder / "masks"


# Shows 115 px around its middle; the corner is 204 px away.
FOLDING = Lens("SIMPLE_RADIAL", (-1.0,))


def test_a_lens_that_folds_off_the_object_is_said(tmp_path: Path) -> None:
    inside = np.zeros((240, 320), bool)
    inside[80:150, 120:200] = True
    views, notices = loaded(tmp_path, FOLDING, with_masks(tmp_path, inside))
    assert "folds the picture off the object: nothing is used there in a.png, b.png" in texts(notices)
    assert views[0].mask is not None
    assert views[0].mask.pixels.sum() > inside.sum()


def test_a_lens_that_folds_inside_the_object_is_refused(tmp_path: Path) -> None:
    inside = np.zeros((240, 320), bool)
    inside[80:239, 120:319] = True
    words = (
        r"lens.json: .*: the lens SIMPLE_RADIAL \(-1.0,\) folds the picture 11\d px from its middle, and "
        r"the object of a\.png reaches to 19\d px. Mend the calibration"
    )
    with pytest.raises(FormatError, match=words):
        loaded(tmp_path, FOLDING, with_masks(tmp_path, inside))


def test_without_masks_the_whole_photo_is_the_object(tmp_path: Path) -> None:
    distorted(tmp_path)
    with pytest.raises(FormatError, match=r"photo of a\.png reaches to 2\d\d px.*or give masks of the"):
        loaded(tmp_path, FOLDING)


@pytest.mark.parametrize(
    ("object_at", "level"),
    [
        (np.s_[80:150, 120:200], None),
        (np.s_[150:239, 230:319], Level.INFO),
        (np.s_[210:239, 290:319], Level.WARNING),
    ],
)
def test_object_lost_beyond_the_ideal_frame_is_said(
    tmp_path: Path, object_at: tuple[slice, slice], level: Level | None
) -> None:
    inside = np.zeros((240, 320), bool)
    inside[object_at] = True
    # The corner would lie 1.35 times as far from the middle; frames end at 1.25 times the photo.
    _, notices = loaded(tmp_path, Lens("RADIAL", (-0.4, 0.1)), with_masks(tmp_path, inside))
    said = [notice for notice in notices if "leaves the picture" in notice.text]
    assert [notice.level for notice in said] == ([] if level is None else [level])
