"""Mask files of all kinds that people have: understood, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from given_masks import SIZE, overlap, painted, photo, photo_shape, true_mask, write
from PIL import Image

from masks.errors import MaskError
from masks.given.look import PhotoShape
from masks.load import Polarity, load_masks
from masks.mask import Mask
from masks.notice import Notice

CASES = Path(__file__).parents[4] / "shared" / "cases"
COLOURS = {"black": (0, 0, 0), "white": (255, 255, 255), "green": (0, 255, 0), "blue": (20, 60, 200)}
COUNT = 4


def loaded(
    folder: Path, files: Callable[[int], Path], size: tuple[int, int] = SIZE
) -> tuple[tuple[Mask, ...], tuple[Notice, ...]]:
    photos = [write(folder / "images" / f"{k}.png", photo(k, size)) for k in range(COUNT)]
    shapes = [photo_shape(path, size=size) for path in photos]
    return load_masks([files(k) for k in range(COUNT)], shapes, Polarity.AUTO)


def worst(masks: tuple[Mask, ...], size: tuple[int, int] = SIZE) -> float:
    return min(overlap(mask.pixels, true_mask(k, size)) for k, mask in enumerate(masks))


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_cut_outs_are_understood(tmp_path: Path, colour: str, ending: str) -> None:
    options = {"quality": 90} if ending == "jpg" else {}
    masks, notices = loaded(
        tmp_path, lambda k: write(tmp_path / "m" / f"{k}.{ending}", painted(k, COLOURS[colour]), **options)
    )
    assert worst(masks) > 0.95
    assert "0." + ending in notices[0].text
    assert "cut-outs before a plain colour" in notices[0].text
    # Dark and bright parts of the object stay.
    assert masks[0].pixels[62:73, 82:93].all()
    assert masks[0].pixels[82:93, 62:73].all()


def test_a_grey_cut_out_is_one(tmp_path: Path) -> None:
    grey = [cv2.cvtColor(painted(k, (255, 255, 255)), cv2.COLOR_RGB2GRAY) for k in range(COUNT)]
    assert worst(loaded(tmp_path, lambda k: write(tmp_path / "m" / f"{k}.png", grey[k]))[0]) > 0.95


def test_a_cut_out_of_another_size_is_one(tmp_path: Path) -> None:
    def half(k: int) -> Path:
        small = cv2.resize(painted(k, (0, 0, 0)), (80, 60), interpolation=cv2.INTER_AREA)
        return write(tmp_path / "m" / f"{k}.png", small)

    assert worst(loaded(tmp_path, half)[0]) > 0.9


def before_squares(k: int) -> np.ndarray:
    """Return the photo before the chequered pattern by which programs show that nothing is there."""
    rows, columns = np.indices(SIZE[::-1])
    squares = np.where((rows // 8 + columns // 8) % 2, 204, 255).astype(np.uint8)
    return np.where(true_mask(k)[..., None], photo(k), squares[..., None])


SPOILT = {
    "a picture, ": before_squares,
    "the photo 2.png ": lambda k: cv2.cvtColor(photo(k), cv2.COLOR_RGB2GRAY).astype(np.uint16) * 200,
    "itself": lambda k: photo(k),
    "drawn over": lambda k: np.where(true_mask(k)[..., None], photo(k), photo(k) // 4),
    "no cut-out of": lambda k: painted((k + 1) % COUNT, (0, 0, 0)),
    "a picture": lambda k: photo(k + 20),
}


@pytest.mark.parametrize("words", SPOILT)
def test_pictures_of_which_no_mask_can_be_made_are_refused_by_name(tmp_path: Path, words: str) -> None:
    with pytest.raises(MaskError, match=rf"2\.png is .*{words}.*masks=none"):
        loaded(
            tmp_path,
            lambda k: write(tmp_path / "m" / f"{k}.png", SPOILT[words](k) if k == 2 else true_mask(k)),
        )


def in_colours(k: int, inside: tuple[int, int, int], outside: tuple[int, int, int]) -> np.ndarray:
    return np.where(true_mask(k)[..., None], inside, outside).astype(np.uint8)


LEVELS = {
    "0/1 among 0/255": lambda k: true_mask(k) * np.uint8(255 if k % 2 else 1),
    "16 bits among 0/1": lambda k: true_mask(k) * (np.uint16(65535) if k % 2 else np.uint8(1)),
    "100/120": lambda k: (100 + 20 * true_mask(k)).astype(np.uint8),
    "colours": lambda k: np.where(
        true_mask(k)[..., None], np.array((250, 230, 30), np.uint8), np.array((70, 0, 90), np.uint8)
    ),
    "red and blue": lambda k: np.where(
        true_mask(k)[..., None], np.array((255, 0, 0), np.uint8), np.array((0, 0, 255), np.uint8)
    ),
    "several objects": lambda k: (true_mask(k) * np.where(np.arange(160) < 80, 1, 2)).astype(np.uint8),
    "one inverted": lambda k: (true_mask(k) ^ (k == 1)) * np.uint8(255),
    "half inverted": lambda k: (true_mask(k) ^ (k % 2 == 1)) * np.uint8(255),
}


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_any_two_levels_are_a_mask(tmp_path: Path, levels: str, ending: str) -> None:
    masks, notices = loaded(tmp_path, lambda k: write(tmp_path / "m" / f"{k}.{ending}", LEVELS[levels](k)))
    assert worst(masks) == 1
    said = " ".join(notice.text for notice in notices)
    assert ("1." + ending in said) == (levels in ("one inverted", "half inverted", "several objects"))
    assert ("another scale" in said) == ("among" in levels)


@pytest.mark.parametrize("palette", [(255, 0, 0, 0, 0, 255), (0, 0, 0, 1, 1, 1), (0, 0, 0, 128, 0, 0)])
def test_palettes(tmp_path: Path, palette: tuple[int, ...]) -> None:
    def drawn(k: int) -> Path:
        image = Image.fromarray(true_mask(k).astype(np.uint8), "P")
        image.putpalette([*palette, *[0] * 750])
        path = tmp_path / f"{k}.png"
        image.save(path)
        return path

    assert worst(loaded(tmp_path, drawn)[0]) == 1


def test_soft_mattes_are_cut_at_half_and_said(tmp_path: Path) -> None:
    def soft(k: int) -> np.ndarray:
        return (255 * cv2.GaussianBlur(true_mask(k).astype(np.float32), (0, 0), 4)).astype(np.uint8)

    masks, notices = loaded(tmp_path, lambda k: write(tmp_path / "m" / f"{k}.png", soft(k)))
    assert worst(masks) > 0.9
    assert "soft levels" in notices[0].text
    assert "127" in notices[0].text


def test_levels_that_are_hardly_black_or_white_are_named(tmp_path: Path) -> None:
    depth = np.linspace(0, 200, 120)[:, None]
    _, notices = loaded(
        tmp_path,
        lambda k: write(tmp_path / "m" / f"{k}.png", (depth + 50 * true_mask(k)).astype(np.uint8)),
    )
    assert any(n.level == "warning" and "such as depth maps" in n.text for n in notices)


def test_an_alpha_channel_that_is_nearly_opaque_says_nothing(tmp_path: Path) -> None:
    def opaque(k: int) -> np.ndarray:
        alpha = np.random.default_rng(k).integers(253, 256, SIZE[::-1], np.uint8)
        return np.dstack([np.repeat(true_mask(k)[..., None] * np.uint8(255), 3, -1), alpha])

    assert worst(loaded(tmp_path, lambda k: write(tmp_path / "m" / f"{k}.png", opaque(k)))[0]) == 1


def test_an_object_that_fills_the_frame_is_not_turned(tmp_path: Path) -> None:
    near = np.ones(SIZE[::-1], bool)
    near[100:, :40] = False
    masks, notices = loaded(
        tmp_path, lambda k: write(tmp_path / "m" / f"{k}.png", near if k == 1 else true_mask(k))
    )
    np.testing.assert_array_equal(masks[1].pixels, near)
    assert any("1.png" in notice.text and "Are they inverted?" in notice.text for notice in notices)


@pytest.mark.parametrize("turn", [2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("size", [SIZE, (120, 120)], ids=["oblong", "square"])
@pytest.mark.parametrize("kind", ["mask", "cut-out"])
def test_masks_lie_on_their_photos_whatever_their_exif_says(
    tmp_path: Path, turn: int, size: tuple[int, int], kind: str
) -> None:
    shapes = [
        PhotoShape(path.name, size, turn, path)
        for path in (write(tmp_path / f"{k}.png", photo(k, size), turn, turn) for k in range(COUNT))
    ]
    for tag, stored in ((turn, 1), (1, 1), (turn, turn), (1, turn)):
        files = [
            write(
                tmp_path / "m" / f"{k}.png",
                true_mask(k, size) * np.uint8(255) if kind == "mask" else painted(k, (0, 0, 0), size),
                tag,
                stored,
            )
            for k in range(COUNT)
        ]
        masks, notices = load_masks(files, shapes, Polarity.AUTO)
        untold = any("nothing in the photos tells" in notice.text for notice in notices)
        # Mirrored, the object of the test is nearly the same.
        assert worst(masks, size) > 0.95 or (untold and turn == 2)
        said = any(notice.level == "warning" or "turned" in notice.text for notice in notices)
        assert said or tag == stored


def test_where_nothing_tells_the_way_up_a_warning_says_so(tmp_path: Path) -> None:
    shape = PhotoShape("0.jpg", SIZE, 3)
    path = write(tmp_path / "0.png", true_mask() * np.uint8(255), 3)
    _, notices = load_masks([path], [shape], Polarity.AUTO)
    assert any(n.level == "warning" and "nothing in the photos tells" in n.text for n in notices)


@pytest.mark.parametrize("case", ["cutouts_as_masks", "masks_of_two_scales", "upright_masks_with_a_turn_tag"])
def test_the_cases_of_users(case: str) -> None:
    folder = CASES / case
    if not folder.is_dir():
        pytest.skip(f"{folder}: not here")
    photos = sorted((folder / "images").iterdir())
    turn = 6 if "turn" in case else 1
    size = (640, 480)
    files = sorted((folder / "masks").iterdir())
    masks, notices = load_masks(files, [photo_shape(path, turn, size) for path in photos], Polarity.AUTO)
    if (folder / "true_masks").is_dir():
        for path, mask in zip(sorted((folder / "true_masks").iterdir()), masks):
            assert overlap(mask.pixels, np.asarray(Image.open(path)) > 0) > 0.98
        assert notices[0].level == "warning"
        assert files[0].name in notices[0].text
    else:
        assert all(0.1 < mask.coverage < 0.3 for mask in masks)
