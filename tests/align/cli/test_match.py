"""pointloom match: two photos in, a picture out; every mistake gets one message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_networks import tiny_network, write_pth

from align.cli.main import main


def two(turntable: Path) -> list[str]:
    return [str(turntable / "images" / f"{k:03d}.png") for k in range(2)]


def noise(folder: Path, size: tuple[int, int] = (320, 240)) -> list[str]:
    """Write two photos that have nothing in common."""
    for k in range(2):
        Image.fromarray(np.random.default_rng(k).integers(0, 255, (size[1], size[0], 3), np.uint8)).save(
            folder / f"{k}.png"
        )
    return [str(folder / f"{k}.png") for k in range(2)]


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command and return what it says when it refuses."""
    assert main(["match", *arguments]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said[said.rindex("pointloom:") :]


def coloured(path: Path) -> np.ndarray:
    """Return which pixels (H, W) of the two greyed photos something was drawn on."""
    return np.ptp(np.asarray(Image.open(path)).astype(int), axis=2) > 60


def test_matches_of_the_object_are_drawn_and_none_beside_it(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "matches.png"
    assert (
        main(
            [
                "match",
                *two(turntable),
                "--masks",
                str(turntable / "masks"),
                "--save",
                str(out),
                "--lines",
                "0",
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert int(said.split()[0]) > 100
    assert str(out) in said
    drawn = coloured(out)
    for k, left in enumerate((0, 336)):
        # The mask's outline is drawn in colour as well: two pixels of it, and a dot's radius.
        mask = np.array(Image.open(turntable / "masks" / f"{k:03d}.png")) > 0
        grown = np.array(
            [
                [mask[max(0, y - 6) : y + 7, max(0, x - 6) : x + 7].any() for x in range(320)]
                for y in range(240)
            ]
        )
        assert not drawn[:, left : left + 320][~grown].any()
        assert drawn[:, left : left + 320][mask].mean() > 0.1


def test_background_pixels_never_move_a_match(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in range(2):
        image = np.array(Image.open(turntable / "images" / f"{k:03d}.png"))
        background = np.array(Image.open(turntable / "masks" / f"{k:03d}.png")) == 0
        image[background] = np.random.default_rng(k).integers(0, 256, (background.sum(), 3))
        Image.fromarray(image).save(tmp_path / f"{k:03d}.png")
    said = []
    for photos in (two(turntable), [str(tmp_path / f"{k:03d}.png") for k in range(2)]):
        assert (
            main(["match", *photos, "--masks", str(turntable / "masks"), "--save", str(tmp_path / "m.png")])
            == 0
        )
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_a_network_matches_with_its_checkpoint(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for backend, head in (("mast3r", "catmlp+dpt"), ("dust3r", "linear")):
        weights = write_pth(tmp_path / f"{backend}.pth", tiny_network(head))
        arguments = [*two(turntable), "--masks", str(turntable / "masks"), "--save", str(tmp_path / "m.png")]
        assert main(["match", *arguments, "--backend", backend, "--weights", str(weights)]) == 0
        assert int(capsys.readouterr().out.split()[0]) > 0
    other = fails(capsys, *arguments, "--backend", "mast3r", "--weights", str(tmp_path / "dust3r.pth"))
    assert "--backend dust3r" in other


def test_fine_matches_are_drawn_with_a_network_that_has_descriptors(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = write_pth(tmp_path / "mast3r.pth", tiny_network(size=224))
    out = tmp_path / "m.png"
    arguments = [*two(turntable), "--masks", str(turntable / "masks"), "--save", str(out), "--fine"]
    assert main(["match", *arguments, "--backend", "mast3r", "--weights", str(weights)]) == 0
    printed = capsys.readouterr()
    assert int(printed.out.split()[0]) > 0
    assert "matches of the whole photos led to" in printed.err
    assert out.stat().st_size > 0
    for backend in ("dust3r", "classical"):
        assert "--fine" in fails(capsys, *arguments, "--backend", backend)


def test_an_unreadable_photo_is_named(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"this is no picture")
    assert "broken.jpg" in fails(capsys, two(turntable)[0], str(broken), "--save", str(tmp_path / "m.png"))
    assert "gone.jpg" in fails(
        capsys, two(turntable)[0], str(tmp_path / "gone.jpg"), "--save", str(tmp_path / "m.png")
    )
    assert "a folder" in fails(
        capsys, two(turntable)[0], str(turntable / "images"), "--save", str(tmp_path / "m.png")
    )


def test_photos_without_matches_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = noise(tmp_path)
    assert "0.png and 1.png: no matches" in fails(capsys, *photos, "--save", str(tmp_path / "m.png"))
    Path(photos[1]).write_bytes(Path(photos[0]).read_bytes())
    assert "100.0% of the matches stand still" in fails(capsys, *photos, "--save", str(tmp_path / "m.png"))
    assert not (tmp_path / "m.png").exists()


def test_a_place_that_cannot_be_written_is_found_out_first(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert "--save" in fails(capsys, *two(turntable), "--save", str(tmp_path / "file" / "m.png"))
    assert "picture format" in fails(capsys, *two(turntable), "--save", str(tmp_path / "m.txt"))


def test_weights_for_a_backend_without_any_are_refused(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save = ["--save", str(tmp_path / "m.png")]
    assert "--weights x.pth: means nothing to the backend classical, which has --engine" in fails(
        capsys, *two(turntable), "--weights", "x.pth", *save
    )
    assert "--device cuda" in fails(capsys, *two(turntable), "--device", "cuda", *save)
    assert "x.pth: no such file" in fails(
        capsys, *two(turntable), "--backend", "vggt-pairs", "--weights", "x.pth", *save
    )
    assert "Installed" in fails(
        capsys, *two(turntable), "--backend", "magic", "--save", str(tmp_path / "m.png")
    )
