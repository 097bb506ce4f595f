"""New photos placed in a scene: rightly, with masks obeyed, and never those of something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from roof_scene import SCENE_ANGLES, before, noise, roof_scene, write_photo
from textured_roof import SIZE, K, turned

from align.localise.by_features.photos import localize
from align.rotations import angle_between
from align.scene import Scene
from masks.errors import ImageError, MaskError, ReconstructionError
from masks.notice import Level
from pairs.views.cameras import camera_centres


def error_of(scene: Scene, name: str, degrees: float) -> tuple[float, float]:
    """Return a view's errors of rotation in degrees and of place as a share of the distance, 4."""
    pose = scene.cameras.cam_from_world[[view.name for view in scene.views].index(name)]
    truth = turned(degrees)
    turn = angle_between(pose[None, :3, :3], truth[None, :3, :3])[0]
    away = camera_centres(pose[None])[0] - camera_centres(truth[None])[0]
    return float(np.rad2deg(turn)), float(np.linalg.norm(away) / 4)


def figures(scene: Scene, name: str) -> dict:
    return next(
        each
        for placement in scene.report.figures["placements"]
        for each in placement["localised"]
        if each["view"] == name
    )


def left_out(scene: Scene) -> dict[str, str]:
    return {n.subject: n.text for n in scene.report.notices if n.level is Level.LEFT_OUT}


def test_the_scene_stays_to_the_bit_and_new_photos_find_their_places(tmp_path: Path) -> None:
    scene = roof_scene()
    photos = [write_photo(tmp_path / f"new{k}.png", angle) for k, angle in enumerate((-10.0, 0.0, 20.0))]
    grown = localize(scene, photos, "none")
    assert [view.name for view in grown.views[6:]] == ["new0.png", "new1.png", "new2.png"]
    for before_, after in zip(scene.views, grown.views):
        assert before_ is after
    np.testing.assert_array_equal(grown.cameras.cam_from_world[:6], scene.cameras.cam_from_world)
    np.testing.assert_array_equal(grown.cameras.K[:6], scene.cameras.K)
    for k, angle in enumerate((-10.0, 0.0, 20.0)):
        turn, away = error_of(grown, f"new{k}.png", angle)
        assert turn < 0.15
        assert away < 0.003
        told = figures(grown, f"new{k}.png")
        # Three deviations of a normal vector's length: one in 4000 lies beyond the fourth.
        assert turn < 4 * told["sigma rotation deg"]
        assert away < 4 * told["sigma share of distance"]
        assert told["sigma share of distance"] == pytest.approx(told["sigma camera centre"] / 4, rel=0.2)
        assert told["focal from"] == "scene"
    assert {view.camera for view in grown.views} == {"320x240"}
    np.testing.assert_allclose(grown.cameras.K[6], K, rtol=1e-12)
    assert not any(view.depth.any() or view.conf.any() for view in grown.views[6:])
    assert {new for _, new in grown.edges} == {6, 7, 8}
    assert grown.inputs[6:] == ("new0.png", "new1.png", "new2.png")


def test_a_photo_finds_the_same_place_whatever_else_is_given(tmp_path: Path) -> None:
    scene = roof_scene()
    photos = [write_photo(tmp_path / f"{k}.png", angle) for k, angle in enumerate((-8.0, 12.0))]
    alone, together = localize(scene, photos[1], "none"), localize(scene, photos, "none")
    np.testing.assert_array_equal(alone.cameras.cam_from_world[-1], together.cameras.cam_from_world[-1])
    # New views have no depth and cannot be recognised themselves; they are no hindrance either.
    again = localize(localize(scene, photos[0], "none"), photos[1], "none")
    np.testing.assert_array_equal(again.cameras.cam_from_world, together.cameras.cam_from_world)
    assert [len(each["localised"]) for each in again.report.figures["placements"]] == [1, 1]


def test_what_stands_behind_the_object_counts_on_neither_side(tmp_path: Path) -> None:
    poses = []
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        photo = write_photo(tmp_path / str(seed) / "new.png", 8.0, noise(seed), masked=True)
        grown = localize(roof_scene(backdrop=noise(10 * seed)), photo)
        poses.append(grown.cameras.cam_from_world[-1])
    np.testing.assert_array_equal(poses[0], poses[1])
    assert error_of(grown, "new.png", 8.0)[0] < 0.15


def test_an_unmasked_photo_finds_its_place_in_a_masked_scene(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "new.png", 8.0, noise(1))
    grown = localize(roof_scene(), photo, "none")
    assert error_of(grown, "new.png", 8.0)[0] < 0.15


def test_a_backdrop_that_stands_still_with_the_camera_does_not_place_a_photo(tmp_path: Path) -> None:
    # Finer and so richer in features than the roof, and before two views alone: it would outvote it.
    backdrop = noise(3, 4)
    scene = roof_scene((-8.0, 8.0), backdrop, masked=False)
    photo = write_photo(tmp_path / "new.png", 3.0, backdrop)
    assert error_of(localize(scene, photo, "none"), "new.png", 3.0)[0] < 0.15


def test_a_copy_of_a_photo_of_the_scene_stands_where_that_stands(tmp_path: Path) -> None:
    scene = roof_scene(masked=True)
    photo = write_photo(tmp_path / "copy.png", SCENE_ANGLES[2])
    assert error_of(localize(scene, photo, "none"), "copy.png", SCENE_ANGLES[2])[0] < 0.05


def test_what_cannot_be_placed_is_named_with_the_reason_and_the_rest_is_placed(tmp_path: Path) -> None:
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    photos.mkdir()
    masks.mkdir()
    rng = np.random.default_rng(0)
    photo, mask = before(None, 0.0)
    pictures = {
        "good": photo,
        "mirrored": photo[:, ::-1],
        "other": np.clip(cv2.GaussianBlur(rng.normal(127, 500, (*SIZE[::-1], 3)), (0, 0), 2), 0, 255),
        "plain": np.full_like(photo, 90),
        "unpainted": photo,
        "scene1": photo,
    }
    for name, pixels in pictures.items():
        Image.fromarray(pixels.astype(np.uint8)).save(photos / f"{name}.png")
        drawn = {"mirrored": mask[:, ::-1], "unpainted": np.zeros_like(mask)}.get(name, mask)
        Image.fromarray(drawn).save(masks / f"{name}.png")
    (photos / "broken.png").write_bytes((photos / "good.png").read_bytes()[:2000])
    grown = localize(roof_scene(), photos, masks)
    assert [view.name for view in grown.views[6:]] == ["good.png"]
    told = left_out(grown)
    assert set(told) == {f"{k}.png" for k in ("mirrored", "other", "plain", "unpainted", "scene1", "broken")}
    assert "mirrored picture" in told["mirrored.png"]
    assert "agree with one camera" in told["other.png"]
    assert "too few" in told["plain.png"]
    assert "empty" in told["unpainted.png"]
    assert "this name" in told["scene1.png"]
    assert "broken.png" in told["broken.png"]
    assert set(told) <= set(grown.inputs)


def test_when_nothing_can_be_placed_the_error_says_why(tmp_path: Path) -> None:
    Image.fromarray(before(None, 0.0)[0][:, ::-1]).save(tmp_path / "mirrored.png")
    write_photo(tmp_path / "scene0.png", 0.0)
    with pytest.raises(ReconstructionError, match=r"scene0\.png: .* mirrored\.png: is a mirrored picture"):
        localize(roof_scene(), tmp_path, "none")
    Image.fromarray(np.zeros(SIZE[::-1], np.uint8)).save(tmp_path / "mirrored.png.mask.png")
    with pytest.raises(MaskError, match="empty"):
        localize(roof_scene(), tmp_path / "mirrored.png")


def test_a_scene_that_shows_nothing_is_refused(tmp_path: Path) -> None:
    photo, scene = write_photo(tmp_path / "new.png", 0.0), roof_scene()
    bare = replace(scene, views=tuple(replace(v, image=np.full_like(v.image, 80)) for v in scene.views))
    with pytest.raises(ReconstructionError, match="nothing to recognise it by"):
        localize(bare, photo, "none")
    flat = replace(scene, views=tuple(replace(v, depth=np.zeros_like(v.depth)) for v in scene.views))
    with pytest.raises(ReconstructionError, match="nothing to recognise it by"):
        localize(flat, photo, "none")


def zoomed(photo: np.ndarray, factor: float) -> np.ndarray:
    """Return the middle of a photo, enlarged to its size: a focal that is longer by the factor."""
    about = np.array(
        [[factor, 0, (1 - factor) * (SIZE[0] - 1) / 2], [0, factor, (1 - factor) * (SIZE[1] - 1) / 2]]
    )
    return cv2.warpAffine(photo, about, SIZE, flags=cv2.INTER_CUBIC)


def test_a_zoomed_photo_gets_a_focal_of_its_own_and_the_report_says_so(tmp_path: Path) -> None:
    Image.fromarray(zoomed(before(None, 8.0)[0], 1.4)).save(tmp_path / "new.png")
    grown = localize(roof_scene(), tmp_path / "new.png", "none")
    assert grown.cameras.K[-1, 0, 0] == pytest.approx(1.4 * K[0, 0], rel=0.02)
    assert error_of(grown, "new.png", 8.0)[1] < 0.02
    assert figures(grown, "new.png")["focal from"] == "sought"
    assert grown.views[-1].camera != "320x240"
    assert [n.subject for n in grown.report.notices if n.level is Level.WARNING] == ["new.png"]


@pytest.mark.parametrize("exif", [True, False])
def test_a_photo_of_another_camera_gets_exifs_focal_or_one_that_fits(tmp_path: Path, exif: bool) -> None:
    photo, _ = before(None, 8.0)
    larger = Image.fromarray(cv2.resize(photo, (640, 480), interpolation=cv2.INTER_CUBIC))
    tags = Image.Exif()
    if exif:
        # 1000 px of a diagonal of 800, in the 43.27 mm of film.
        tags[0x8769] = {0xA405: 54}
    larger.save(tmp_path / "new.jpg", quality=97, exif=tags)
    grown = localize(roof_scene(), tmp_path / "new.jpg", "none")
    K_photo = grown.at_original().K[-1]
    assert figures(grown, "new.jpg")["focal from"] == ("EXIF" if exif else "sought")
    assert K_photo[0, 0] == pytest.approx(54 / 43.27 * 800 if exif else 1000, rel=1e-9 if exif else 0.02)
    np.testing.assert_allclose(K_photo[:2, 2], [319.5, 239.5], atol=1e-9)
    assert error_of(grown, "new.jpg", 8.0)[0] < 0.2


def test_a_photo_that_its_camera_stored_lying_has_the_scenes_focals_in_its_own_axes(tmp_path: Path) -> None:
    # The scene's camera is turned by a quarter for this photo, so its upright photo is a portrait.
    scene = roof_scene()
    odd = np.array([[500.0, 0, 165.5], [0, 500.0, 112.5], [0, 0, 1]])
    cameras = replace(scene.cameras, K=np.tile(odd, (6, 1, 1)))
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(before(None, 8.0)[0]).save(tmp_path / "new.png", exif=tags)
    grown = localize(replace(scene, cameras=cameras), tmp_path / "new.png", "none")
    K_upright = grown.at_original().K[-1]
    # A quarter turn to the right takes (x, y) to (239 - y, x).
    np.testing.assert_allclose(K_upright[:2, 2], [239 - 112.5, 165.5], atol=1e-9)


def test_photos_of_the_scene_take_the_place_of_its_images(tmp_path: Path) -> None:
    scene = roof_scene()
    (tmp_path / "own").mkdir()
    for k, angle in enumerate(SCENE_ANGLES):
        write_photo(tmp_path / "own" / f"scene{k}.png", angle)
    bare = replace(scene, views=tuple(replace(v, image=np.full_like(v.image, 80)) for v in scene.views))
    photo = write_photo(tmp_path / "new.png", 8.0)
    grown = localize(bare, photo, "none", scene_photos=tmp_path / "own")
    assert error_of(grown, "new.png", 8.0)[0] < 0.15
    with pytest.raises(ImageError, match="no photo of the scene"):
        localize(scene, photo, "none", scene_photos=[photo])
    Image.new("RGB", (100, 80)).save(tmp_path / "own" / "scene0.png")
    with pytest.raises(ImageError, match="not the photo that the scene was made of"):
        localize(scene, photo, "none", scene_photos=tmp_path / "own")


def test_the_views_that_look_most_alike_are_compared(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "new.png", -13.0)
    grown = localize(roof_scene(), photo, "none", candidates=2)
    assert set(grown.edges) <= {(0, 6), (1, 6), (2, 6)}
    assert error_of(grown, "new.png", -13.0)[0] < 0.2


def test_a_place_that_few_features_hold_is_doubted(tmp_path: Path) -> None:
    scene = roof_scene((-35.0, -25.0))
    near, far = (write_photo(tmp_path / f"{k}.png", angle) for k, angle in enumerate((0.0, 30.0)))
    grown = localize(scene, [near, far], "none")
    doubted = {
        n.subject for n in grown.report.notices if n.level is Level.WARNING and "hold its place" in n.text
    }
    assert "0.png" not in doubted
    # 55 degrees beside the nearest view: doubted if it is placed at all.
    assert "1.png" in doubted | set(left_out(grown))
