"""Small hostile files that once did harm, each with a README that says what is expected of it."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image
from stored_scene import small_scene

from align.cli.main import main
from align.demo.turntable import TurntableOptions, build_studio, render_view
from align.export.gltf.glb_points import read_glb
from align.scene_folder import save_scene
from align.show.image_file import write_image
from masks.errors import FormatError
from masks.given.look import PhotoShape
from masks.image_file import open_image, probe_image
from masks.load import Polarity, load_masks
from pairs.graph.scene_graphs import parse_graph
from pairs.retrieval.files import read_codebook, read_retrieval

CASES = Path(__file__).parents[3] / "shared" / "cases" / "fuzz"


@pytest.fixture
def case() -> Callable[[str], Path]:
    def folder(name: str) -> Path:
        if not (CASES / name).is_dir():
            pytest.skip(f"{CASES / name}: not here")
        return CASES / name

    return folder


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command line, which has to refuse with one message; return it."""

    def run(*arguments: str | Path) -> str:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 2
        said = capsys.readouterr().err
        assert said.count("pointloom: ") == 1
        return said

    return run


def photos(folder: Path, names: tuple[str, ...] = ("zz1.png", "zz2.png")) -> Path:
    folder.mkdir(exist_ok=True)
    for k, name in enumerate(names):
        noise = np.random.default_rng(k).integers(0, 255, (64, 96, 3), np.uint8)
        Image.fromarray(noise).save(folder / name)
    return folder


def test_cameras_deeply_nested(case, refused, tmp_path: Path) -> None:
    save_scene(small_scene(), tmp_path)
    cameras = case("cameras_deeply_nested") / "cameras.json"
    assert f"{cameras}: is not JSON" in refused("evaluate", tmp_path, "--cameras", cameras)


@pytest.mark.parametrize("name", ["codebook_of_odd_values", "codebook_of_shared_dictionaries"])
def test_codebooks(case, name: str) -> None:
    for path in sorted(case(name).glob("*.pkl")):
        with pytest.raises(FormatError, match=path.name):
            read_codebook(path, 8)


def test_retrieval_head_widths_a_number(case) -> None:
    path = case("retrieval_head_widths_a_number") / "x_retrieval_small.pth"
    with pytest.raises(FormatError, match=path.name):
        read_retrieval(path)


def test_dds_damaged(case, refused, tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos")
    shutil.copy(case("dds_damaged") / "photo.png", folder)
    assert "photo.png: cannot be decoded" in refused("reconstruct", folder, "--out", tmp_path / "s")


def test_postscript_named_jpg(case, refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photos(tmp_path / "photos")
    for path in case("postscript_named_jpg").glob("*.jpg"):
        shutil.copy(path, folder)
    interpreter, called = tmp_path / "bin" / "gs", tmp_path / "called"
    interpreter.parent.mkdir()
    interpreter.write_text(f"#!/bin/sh\ntouch {called}\n")
    interpreter.chmod(0o755)
    monkeypatch.setenv("PATH", f"{interpreter.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # where an earlier test looked for it
    assert "photo.jpg: cannot be decoded" in refused("reconstruct", folder, "--out", tmp_path / "s")
    assert not called.exists()
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(io.BytesIO((folder / "photo.jpg").read_bytes())).load()
    assert called.exists(), "the stand-in would have been called"


def test_float_mask_with_one_NaN(case) -> None:
    paths = sorted(case("float_mask_with_one_NaN").glob("*.tif"))
    for order in (paths, paths[::-1]):
        shapes = [PhotoShape(path.name, probe_image(path).size, 1) for path in order]
        masks, _ = load_masks(order, shapes, Polarity.AUTO)
        assert [round(mask.coverage, 2) for mask in masks] == [0.15, 0.15]


def test_glb_damaged(case) -> None:
    for path in sorted(case("glb_damaged").glob("*.glb")):
        with pytest.raises(FormatError, match=path.name):
            read_glb(path)


def test_network_ratio_infinite(case, refused) -> None:
    folder = case("network_ratio_infinite")
    assert "config.json" in refused("info", folder)


@pytest.mark.slow
def test_photo_of_200_megapixels(case, refused, tmp_path: Path) -> None:
    path = case("photo_of_200_megapixels") / "photo.png"
    assert open_image(path).pixels.shape == (12240, 16320, 3)
    folder = photos(tmp_path / "photos", ("second.png",))
    shutil.copy(path, folder)
    said = refused("reconstruct", folder, "--out", tmp_path / "s")
    assert "damaged" not in said, "a grey photo has no features, and nothing else is wrong with it"


@pytest.mark.parametrize("fault", ["figures_a_text", "image_int16", "no_views", "size_of_one_number"])
def test_scenes_with_wrong_fields(case, refused, tmp_path: Path, fault: str) -> None:
    scene = case("scenes_with_wrong_fields") / fault
    asked = [refused("info", scene)]
    for form in ("glb", "ply", "cameras"):
        asked.append(refused("export", scene, "--format", form, "--out", tmp_path / "x"))
    assert len(set(asked)) == 1
    assert f"{scene}: the scene is damaged" in asked[0]


def test_views_json_with_a_NUL(case, refused, tmp_path: Path) -> None:
    folder = case("views_json_with_a_NUL")
    assert "views.json" in refused("align", folder, "--out", tmp_path / "s")


def test_window_of_a_hundred_million(case) -> None:
    text = (case("window_of_a_hundred_million") / "graph.txt").read_text().strip()
    assert parse_graph(text).edges([f"{k}.jpg" for k in range(8)]).number_of_edges() == 8 * 7 // 2


@pytest.mark.slow
def test_a_module_in_the_current_folder(case, tmp_path: Path) -> None:
    options = TurntableOptions(size=(320, 240))
    studio = build_studio(options)
    for k in range(8):
        view = render_view(studio, options, k)
        write_image(tmp_path / "images" / f"{k}.png", view.image)
        write_image(tmp_path / "masks" / f"{k}.png", view.mask.astype(np.uint8) * 255)
    there = shutil.copytree(case("a_module_in_the_current_folder"), tmp_path / "there")
    here = tmp_path / "here"
    here.mkdir()
    program = Path(sys.executable).with_name("pointloom")
    for folder in (here, there):
        arguments = [tmp_path / "images", "--masks", tmp_path / "masks", "--out", folder / "scene"]
        run = subprocess.run([program, "reconstruct", *arguments], cwd=folder, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
    assert not (there / "ran").exists()
    for name in ("scene.json", "views.safetensors"):
        assert (here / "scene" / name).read_bytes() == (there / "scene" / name).read_bytes()
