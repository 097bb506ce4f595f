"""pointloom localize: a scene and new photos in, the scene with new views out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from roof_scene import before, roof_scene, write_photo

from align.cli.main import main
from align.scene_folder import load_scene, save_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("roof") / "scene"
    folder.mkdir()
    save_scene(roof_scene(), folder)
    return folder


def test_new_photos_stand_behind_the_scenes_own_views(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    write_photo(tmp_path / "photos" / "new.png", 8.0, masked=True)
    Image.fromarray(before(None, 0.0)[0][:, ::-1]).save(tmp_path / "photos" / "mirrored.png")
    Image.fromarray(before(None, 0.0)[1][:, ::-1]).save(tmp_path / "photos" / "mirrored.png.mask.png")
    out = tmp_path / "out"
    assert main(["localize", str(scene), str(tmp_path / "photos"), "--out", str(out)]) == 0
    known, grown = load_scene(scene), load_scene(out)
    assert [view.name for view in grown.views[6:]] == ["new.png"]
    np.testing.assert_array_equal(grown.cameras.cam_from_world[:6], known.cameras.cam_from_world)
    for a, b in zip(known.views, grown.views):
        np.testing.assert_array_equal(a.depth, b.depth)
        np.testing.assert_array_equal(a.image, b.image)
    said = capsys.readouterr()
    assert "7 of 8 views placed" in said.out
    assert "not placed: mirrored.png" in said.out
    assert "left out: mirrored.png: is a mirrored picture" in said.err
    assert "new.png: placed" in said.err
    # What was written is a scene like others, though its new view has no depth.
    assert main(["export", str(out), "--format", "ply", "--out", str(tmp_path / "object.ply")]) == 0
    assert main(["info", str(out)]) == 0
    assert "localised" in capsys.readouterr().out


def test_every_mistake_gets_one_message_and_the_scene_is_untouched(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(write_photo(tmp_path / "new.png", 8.0))
    mirrored = str(tmp_path / "mirrored.png")
    Image.fromarray(before(None, 0.0)[0][:, ::-1]).save(mirrored)
    out = ["--out", str(tmp_path / "out")]
    written = (scene / "scene.json").read_bytes()
    for arguments, message in (
        ([str(scene), photo, "--out", str(scene / "." / "..") + f"/{scene.name}"], "is the scene itself"),
        ([str(tmp_path / "nowhere"), photo, *out], "no scene here"),
        ([str(scene), str(tmp_path / "absent.png"), *out], "no such file"),
        ([str(scene), mirrored, *out], "no photo could be placed in the scene. mirrored.png: is a mirrored"),
        ([str(scene), photo, *out, "--candidates", "0"], "--candidates 0"),
        ([str(scene), photo, *out, "--scene-photos", photo], "with --scene-photos, or omit it"),
        ([str(scene), photo, *out, "--masks", str(scene)], "no file here is the mask of a photo"),
    ):
        assert main(["localize", *arguments]) == 2, message
        error = capsys.readouterr().err
        assert message in error.replace("\n", " ")
        assert "Traceback" not in error
        assert "`" not in error
    assert (scene / "scene.json").read_bytes() == written
    assert not (tmp_path / "out" / "scene.json").exists()


def test_the_help_says_what_each_option_means(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["localize", "--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    for words in ("top-k", "pixel_tol", "reprojection_error_diag_ratio", "--scene-photos", "--candidates"):
        assert words in said
