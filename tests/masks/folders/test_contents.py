"""What lies in a folder of photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from given_masks import texture
from PIL import Image

from masks.errors import ImageError
from masks.files import given_photos, list_photos
from masks.folders.contents import contents_of
from masks.folders.first_bytes import Content, content_of
from masks.image_file import probe_image

FILM = b"\0\0\0\x18ftypisom\0\0\0\0isommp41"


def save(path: Path, kind: str = "JPEG", **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(texture(len(path.name), (32, 24))).save(path, kind, **options)
    return path


@pytest.mark.parametrize("name", ["a.jfif", "a.JPG", "a.jpe", "a", "a.jpg_large", "a.pjpeg"])
def test_a_photo_is_one_by_its_first_bytes(tmp_path: Path, name: str) -> None:
    save(tmp_path / name)
    assert [path.name for path in list_photos([tmp_path])] == [name]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP"])
def test_formats_without_an_ending(tmp_path: Path, kind: str) -> None:
    assert content_of(save(tmp_path / "x", kind))[0] is Content.PICTURE


def frames(path: Path, kind: str) -> Path:
    pictures = [Image.fromarray(texture(k, (32, 24))) for k in range(3)]
    pictures[0].save(path, kind, save_all=True, append_images=pictures[1:])
    return path


@pytest.mark.parametrize(("name", "kind"), [("a.webp", "WEBP"), ("a.png", "PNG"), ("a.gif", "GIF")])
def test_animations_are_named_and_not_read(tmp_path: Path, name: str, kind: str) -> None:
    save(tmp_path / "photo.jpg")
    frames(tmp_path / name, kind)
    given = given_photos([tmp_path])
    assert [path.name for path in given.photos] == ["photo.jpg"]
    assert given.names == ("photo.jpg", name)
    (notice,) = given.notices
    assert notice.level == "left out"
    assert name in notice.text


def test_everything_that_is_not_used_is_named(tmp_path: Path) -> None:
    save(tmp_path / "1.jpg")
    save(tmp_path / "2.jpg")
    save(tmp_path / "inner" / "3.jpg")
    save(tmp_path / "masks" / "1.png", "PNG")
    (tmp_path / "turn.mp4").write_bytes(FILM)
    save(tmp_path / "2.nef", "TIFF")
    save(tmp_path / "9.cr2", "TIFF")
    (tmp_path / "drawing.psd").write_bytes(b"8BPS....")
    (tmp_path / "notes.txt").write_text("turned by 15 degrees")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    (tmp_path / ".hidden").write_bytes(b"x")
    given = given_photos([tmp_path], [tmp_path / "masks"])
    assert given.names == ("1.jpg", "2.jpg", "9.cr2", "drawing.psd")
    said = "\n".join(f"{notice.level}: {notice.text}" for notice in given.notices)
    for line in (
        "left out: turn.mp4: a film, not read",
        "left out: 2.nef: a raw file, beside a photo of its name",
        "left out: 9.cr2: a raw file, not read. Develop it",
        "left out: drawing.psd: a Photoshop file",
        "warning: inner (1 picture): not looked into",
        "info: beside the photos lie files that are no pictures: notes.txt.",
    ):
        assert line in said
    assert "masks (" not in said
    assert "Thumbs" not in said


def test_a_plain_folder_needs_no_words(tmp_path: Path) -> None:
    save(tmp_path / "1.jpg")
    save(tmp_path / "1_mask.png", "PNG")
    given = given_photos([tmp_path])
    assert given.notices == ()
    assert given.names == ("1.jpg",)
    assert [path.name for path in contents_of(tmp_path).masks] == ["1_mask.png"]


def test_a_folder_of_a_film_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "turn.mp4").write_bytes(FILM)
    with pytest.raises(ImageError, match=r"turn\.mp4, a film"):
        list_photos([tmp_path])


FILMS = {
    "a.MTS": b"".join(b"\0\0\0\0G" + bytes(187) for _ in range(5)),
    "b.ts": b"".join(b"G" + bytes(187) for _ in range(5)),
    "c.mp4": b"\0\0\0\x1cftypXAVC" + bytes(99),
    "d.mp4": b"\0\0\0\x18ftypiso5" + bytes(99),
}


@pytest.mark.parametrize("name", FILMS)
def test_films_of_cameras(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILMS[name])
    assert content_of(tmp_path / name)[0] is Content.FILM


def test_every_file_that_was_lost_is_named_however_many(tmp_path: Path) -> None:
    save(tmp_path / "1.jpg")
    lost = [f"{k}.{ending}" for k in range(10, 18) for ending in ("cr2", "mp4", "tga")]
    for name in lost:
        (tmp_path / name).write_bytes(FILM if name.endswith("mp4") else bytes(99))
    said = "\n".join(notice.text for notice in given_photos([tmp_path]).notices)
    assert all(name in said for name in lost)
    assert "more" not in said


def test_another_format_under_the_name_of_a_photo_is_named_when_it_is_opened(tmp_path: Path) -> None:
    save(tmp_path / "1.jpg")
    (tmp_path / "2.jpg").write_bytes(b"\0\0\0\x1cftypavif" + bytes(99))
    assert [path.name for path in given_photos([tmp_path]).photos] == ["1.jpg", "2.jpg"]
    with pytest.raises(ImageError, match=r"2.jpg: cannot be decoded: an AVIF file"):
        probe_image(tmp_path / "2.jpg")


def test_links_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    save(tmp_path / "1.jpg")
    (tmp_path / "2.jpg").symlink_to(tmp_path / "gone.jpg")
    given = given_photos([tmp_path])
    assert given.names == ("1.jpg", "2.jpg")
    assert given.notices[0].text.startswith("2.jpg: a link that leads nowhere")


def test_pictures_of_folders_in_folders_are_counted_and_those_of_scenes_are_not(tmp_path: Path) -> None:
    save(tmp_path / "1.jpg")
    save(tmp_path / "day" / "one" / "2.jpg")
    save(tmp_path / "scene" / "masks" / "1.jpg.png", "PNG")
    (tmp_path / "scene" / "scene.json").write_text("{}")
    (notice,) = given_photos([tmp_path]).notices
    assert notice.text.startswith("day (1 picture): not looked into")


def test_the_pages_of_a_tiff_file_that_are_not_read_are_named(tmp_path: Path) -> None:
    save(tmp_path / "1.tif", "TIFF")
    frames(tmp_path / "2.tif", "TIFF")
    (notice,) = given_photos([tmp_path]).notices
    assert notice.text.startswith("2.tif (3): several pages")


def test_bytes_of_nothing_are_no_picture(tmp_path: Path) -> None:
    for length in range(40):
        (tmp_path / "x").write_bytes(np.random.default_rng(length).bytes(length))
        assert content_of(tmp_path / "x")[0] is Content.OTHER
    assert content_of(tmp_path / "gone") == (Content.OTHER, "cannot be read")
