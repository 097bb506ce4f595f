"""Every mistake gets one message that names the file and the remedy, exit code 2, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from align.cli.main import main


def photos(folder: Path, count: int = 3, size: tuple[int, int] = (96, 64), plain: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        noise = np.random.default_rng(k).integers(0, 255, (size[1], size[0], 3), np.uint8)
        Image.fromarray(np.full_like(noise, 128) if plain else noise).save(folder / f"{k}.png")
    return folder


def fails(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run the command line and return what it says when it refuses."""
    assert main([str(a) for a in arguments]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said[said.rindex("pointloom:") :]


def test_one_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "one photo is not enough" in fails(
        capsys, "reconstruct", photos(tmp_path / "images", 1), "--out", tmp_path / "s"
    )


def test_a_zero_byte_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = photos(tmp_path / "images")
    (folder / "1.png").write_bytes(b"")
    assert "1.png: the file is empty" in fails(capsys, "reconstruct", folder, "--out", tmp_path / "s")


@pytest.mark.parametrize("option", ["images", "--masks", "--calibration", "--known-poses", "--cameras"])
def test_a_path_that_is_too_long(tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    folder, long = photos(tmp_path / "images"), tmp_path / ("x" * 2000)
    arguments = [long] if option == "images" else [folder, option, long]
    said = fails(capsys, "reconstruct", *arguments, "--out", tmp_path / "s")
    assert "File name too long" in said
    assert len(said) < 1000


def test_a_damaged_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = photos(tmp_path / "images")
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:500])
    assert "1.png: cannot be decoded" in fails(capsys, "reconstruct", folder, "--out", tmp_path / "s")


def test_no_texture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = fails(capsys, "reconstruct", photos(tmp_path / "images", plain=True), "--out", tmp_path / "s")
    assert "features" in said
    assert "texture" in said


def test_identical_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = photos(tmp_path / "images", 1, (320, 240))
    for k in (1, 2):
        (folder / f"{k}.png").write_bytes((folder / "0.png").read_bytes())
    assert "move" in fails(capsys, "reconstruct", folder, "--out", tmp_path / "s")


def test_unrelated_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = fails(capsys, "reconstruct", photos(tmp_path / "images", 4, (320, 240)), "--out", tmp_path / "s")
    assert "verified" in said


def test_masks_that_fit_no_photo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = photos(tmp_path / "images")
    photos(tmp_path / "masks", 1).joinpath("0.png").rename(tmp_path / "masks" / "z.png")
    assert "no file here is the mask of a photo" in fails(
        capsys, "reconstruct", folder, "--masks", tmp_path / "masks", "--out", tmp_path / "s"
    )


def test_masks_that_are_all_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = photos(tmp_path / "images")
    (tmp_path / "masks").mkdir()
    for k in range(3):
        Image.fromarray(np.zeros((64, 96), np.uint8)).save(tmp_path / "masks" / f"{k}.png")
    assert "every mask is empty" in fails(
        capsys, "reconstruct", folder, "--masks", tmp_path / "masks", "--out", tmp_path / "s"
    )


def test_a_mask_of_another_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = photos(tmp_path / "images")
    photos(tmp_path / "masks", size=(64, 64))
    assert "aspect ratios differ" in fails(
        capsys, "reconstruct", folder, "--masks", tmp_path / "masks", "--out", tmp_path / "s"
    )


def test_an_output_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert "--out" in fails(
        capsys, "reconstruct", photos(tmp_path / "images"), "--out", tmp_path / "file" / "s"
    )


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--backend", "magic", "Installed: classical"),
        ("--preset", "magic", "mast3r"),
        ("--graph", "magic", "complete"),
        ("--graph", "window:x", "window"),
        ("--masks", "nowhere", "nowhere"),
    ],
)
def test_unknown_choices_list_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, message: str
) -> None:
    assert message in fails(
        capsys, "reconstruct", photos(tmp_path / "images"), "--out", tmp_path / "s", option, value
    )


def test_a_missing_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no scene here" in fails(
        capsys, "export", tmp_path, "--format", "glb", "--out", tmp_path / "x.glb"
    )
    assert "no scene here" in fails(capsys, "evaluate", tmp_path, "--cameras", tmp_path / "cameras.json")


def test_a_missing_folder_of_predictions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "views.json" in fails(capsys, "align", tmp_path / "nothing", "--out", tmp_path / "s")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space are Linux's")
def test_memory_that_runs_out_has_a_remedy(tmp_path: Path) -> None:
    Image.new("L", (15000, 12000)).save(tmp_path / "big.png")
    photos(tmp_path, 2)
    limited = (
        "import resource, sys; from align.cli.main import main;"
        "used = 1024 * int(open('/proc/self/status').read().partition('VmSize:')[2].split()[0]);"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (300 << 20),) * 2); sys.exit(main())"
    )
    arguments = ["reconstruct", tmp_path, "--out", tmp_path / "s"]
    run = [sys.executable, "-c", limited, *arguments]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "big.png: there is not enough memory to read it. Close other programs" in done.stderr
