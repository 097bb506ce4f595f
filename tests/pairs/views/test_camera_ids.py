"""Which photos share a camera: by EXIF, by folder, by what the user says, and what is wrong with a list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from masks.errors import FormatError, UserError
from masks.image_file import ImageFacts
from pairs.views.camera_ids import camera_ids
from pairs.views.exif_camera import camera_id
from pairs.views.load import LoadOptions, load_views

SIZE = (96, 64)


def fact(name: str, size: tuple[int, int] = SIZE, **exif: str | float) -> ImageFacts:
    return ImageFacts(Path("/set") / name, size, 1, False, exif)


def bare(*names: str) -> list[ImageFacts]:
    return [fact(name) for name in names]


def listed(folder: Path, text: str | bytes) -> Path:
    path = folder / "cameras.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_photos_of_one_folder_without_exif_are_of_one_camera_a_size() -> None:
    facts = [*bare("a.jpg", "b.jpg"), fact("c.jpg", (64, 96))]
    assert camera_ids(facts, "exif") == ("96x64", "96x64", "64x96")
    assert camera_ids(facts, "one") == ("96x64", "96x64", "64x96")


def test_the_folder_counts_where_exif_says_nothing_and_there_are_several() -> None:
    facts = [*bare("left/a.jpg", "right/b.jpg", "c.jpg"), fact("right/d.jpg", Model="Phone")]
    assert camera_ids(facts, "exif") == ("left 96x64", "right 96x64", "set 96x64", "Phone 96x64")
    assert camera_ids(facts, "folder")[3] == "right 96x64"


def test_each_photo_may_be_a_camera_of_its_own() -> None:
    assert camera_ids(bare("a.jpg", "b.jpg"), "each") == ("a.jpg 96x64", "b.jpg 96x64")


def test_zooms_are_told_apart_and_breathing_is_not() -> None:
    focals = (50.0, 50.4, 49.6, 51.0, 50.2)
    ids = camera_ids(
        [fact(f"{k}.jpg", Model="Zoom", FocalLength=focal) for k, focal in enumerate(focals)], "exif"
    )
    assert ids == ("Zoom 50.0 96x64",) * 3 + ("Zoom 51.0 96x64", "Zoom 50.0 96x64")


@given(st.lists(st.tuples(st.sampled_from(["A", "B"]), st.sampled_from([4.3, 8.6, 6.764999866370901]))))
def test_ids_of_equal_zooms_are_those_of_the_photos_alone(said: list[tuple[str, float]]) -> None:
    facts = [fact(f"{k}.jpg", Model=model, FocalLength=focal) for k, (model, focal) in enumerate(said)]
    assert camera_ids(facts, "exif") == tuple(camera_id(each) for each in facts)


def test_a_list_says_which_photos_share_a_camera(tmp_path: Path) -> None:
    text = "\ufeff# zoomed in\n\na.jpg tele\nwith a space.jpg\twide\r\nc d.jpg tele\n"
    facts = [*bare("a.jpg", "with a space.jpg"), fact("c d.jpg", (64, 64))]
    ids = camera_ids(facts, listed(tmp_path, text))
    # Two sizes are two cameras, whatever the list says.
    assert ids == ("tele 96x64", "wide 96x64", "tele 64x64")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "a.jpg one\nb.jpg one\nz.jpg one\n",
            "line 3: there is no photo 'z.jpg'. The photos are a.jpg, b.jpg",
        ),
        ("a.jpg one\n", "no camera for b.jpg"),
        ("a.jpg one\nb.jpg one\na.jpg two\n", "line 3: 'a.jpg' has a camera already, in line 1"),
        ("a.jpg one\nb.jpg\n", "line 2: 'b.jpg' is not a name and a camera"),
        ("a.jpg\tone\ttwo\n", "line 1"),
        ("a.jpg\t\n", "line 1"),
        ("", "no cameras. Write one line a photo"),
        ("# nothing\n\n", "no cameras"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "is not text"),
    ],
)
def test_a_list_that_is_none_is_named_with_the_remedy(
    tmp_path: Path, text: str | bytes, complaint: str
) -> None:
    path = listed(tmp_path, text)
    with pytest.raises(FormatError) as caught:
        camera_ids(bare("a.jpg", "b.jpg"), path)
    assert str(caught.value).startswith(str(path))
    assert complaint in str(caught.value)


def test_a_word_that_is_no_choice_and_no_file_is_refused(tmp_path: Path) -> None:
    for given_ in ("zoom", tmp_path):
        with pytest.raises(UserError, match="neither exif, one, folder, each nor a file"):
            camera_ids(bare("a.jpg"), given_)


def test_views_carry_what_was_said_and_keep_their_keys(tmp_path: Path) -> None:
    for k, folder in enumerate(("left", "right")):
        (tmp_path / folder).mkdir()
        pixels = np.random.default_rng(k).integers(0, 255, (64, 96, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / folder / f"{k}.png")
    photos = [tmp_path / "left", tmp_path / "right"]
    guessed, _ = load_views(photos)
    stated, _ = load_views(photos, options=LoadOptions(cameras="one"))
    assert [view.camera for view in guessed] == ["left 96x64", "right 96x64"]
    assert [view.camera for view in stated] == ["96x64", "96x64"]
    assert [view.camera_stated for view in (guessed[0], stated[0])] == [False, True]
    # What was found on the photos serves for every choice of cameras.
    assert [view.photo_key for view in guessed] == [view.photo_key for view in stated]
