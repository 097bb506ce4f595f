"""Several formats into one folder: all or nothing, and nothing of the user's is replaced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from stored_scene import small_scene

from align.export.export_scene import export_scene
from align.export.formats import exporters_named
from align.export.originals import Originals
from align.scene import Scene
from masks.disk.whole_file import write_whole
from masks.errors import OutputError, UserError
from masks.notice import Notice
from masks.progress import Progress

SURE = {"min_conf": 0.1}


@dataclass(frozen=True)
class Pictures:
    """A format of files in a sub-folder."""

    file: ClassVar[str | None] = None
    uses_photos: ClassVar[bool] = False
    names: tuple[str, ...] = ("a.png",)
    content: bytes = b"a picture"
    fails: bool = False

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        for name in self.names:
            write_whole(folder / "images" / name, self.content)
        if self.fails:
            raise UserError("this format cannot say it")
        return ()


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_every_format_puts_its_files_into_the_folder(tmp_path: Path) -> None:
    export_scene(small_scene(), tmp_path / "out", exporters_named("glb,cameras", SURE))
    assert tree(tmp_path / "out") == ["cameras.json", "scene.glb"]


@pytest.mark.parametrize(
    ("name", "found"), [("x.glb", ["x.glb"]), ("folder", ["folder", "folder/scene.glb"])]
)
def test_a_single_file_may_be_named(tmp_path: Path, name: str, found: list[str]) -> None:
    export_scene(small_scene(), tmp_path / name, exporters_named("glb", SURE))
    assert tree(tmp_path) == found


def test_a_folder_that_holds_something_is_named_and_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"not empty \(it holds notes.txt\).*`overwrite`"):
        export_scene(small_scene(), tmp_path, "cameras")
    assert tree(tmp_path) == ["notes.txt"]
    export_scene(small_scene(), tmp_path, "cameras", overwrite=True)
    assert tree(tmp_path) == ["cameras.json", "notes.txt"]


def test_a_file_that_is_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    place = tmp_path / "x.json"
    place.write_text("old")
    with pytest.raises(OutputError, match="is there already"):
        export_scene(small_scene(), place, "cameras")
    assert place.read_text() == "old"
    export_scene(small_scene(), place, "cameras", overwrite=True)
    assert place.read_text() != "old"


def test_a_format_that_fails_leaves_nothing_of_the_others(tmp_path: Path) -> None:
    formats = exporters_named("cameras") | {"pictures": Pictures(fails=True)}
    with pytest.raises(UserError, match="cannot say it"):
        export_scene(small_scene(), tmp_path / "out", formats)
    assert tree(tmp_path) == []


def test_formats_share_a_file_only_when_it_is_the_same(tmp_path: Path) -> None:
    scene = small_scene()
    export_scene(scene, tmp_path / "same", {"one": Pictures(), "two": Pictures()})
    assert tree(tmp_path / "same") == ["images", "images/a.png"]
    with pytest.raises(OutputError, match=r"one and two both write images/a.png"):
        export_scene(scene, tmp_path / "other", {"one": Pictures(), "two": Pictures(content=b"another")})
    assert not (tmp_path / "other").exists()


def test_a_strange_file_among_the_pictures_is_an_error(tmp_path: Path) -> None:
    scene = small_scene()
    export_scene(scene, tmp_path, {"pictures": Pictures(("a.png", "b.png"))}, overwrite=True)
    with pytest.raises(OutputError, match=r"images/b.png: is not of this export"):
        export_scene(scene, tmp_path, {"pictures": Pictures(content=b"new")}, overwrite=True)
    assert (tmp_path / "images" / "a.png").read_bytes() == b"a picture"


@pytest.mark.parametrize(
    ("names", "options", "told"),
    [
        ("obj", {}, r"`format=obj`: unknown. Choose from glb, ply"),
        ("glb,", {}, "`format=`: unknown"),
        ("glb,ply,glb", {}, "names glb twice"),
        ("cameras", {"min_conf": 2.0}, "`min_conf`: nothing that cameras knows; it belongs to glb, ply"),
    ],
)
def test_what_cannot_be_meant_is_told(names: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(UserError, match=told):
        exporters_named(names, options)
