"""A scene's folder says where its photos lay."""

from __future__ import annotations

from pathlib import Path

import pytest

from align.export.originals import PhotoSource
from align.export.photo_sources import read_sources, write_sources
from masks.errors import FormatError
from masks.load import Polarity
from pairs.views.load import LoadOptions


def project(root: Path) -> tuple[Path, list[PhotoSource]]:
    scene, photos = root / "scene", root / "photos"
    scene.mkdir(parents=True)
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"")
    load = LoadOptions(polarity=Polarity.BLACK, erode_px=2)
    return scene, [PhotoSource((photos,), root / "masks", load), PhotoSource((photos / "a.jpg",), "none")]


def test_sources_come_back_also_when_the_project_has_moved(tmp_path: Path) -> None:
    scene, sources = project(tmp_path / "old")
    write_sources(scene, sources)
    (tmp_path / "old").rename(tmp_path / "new")
    first, second = read_sources(tmp_path / "new" / "scene")
    assert [path.resolve() for path in first.photos] == [tmp_path / "new" / "photos"]
    assert Path(first.masks).resolve() == tmp_path / "new" / "masks"
    assert first.load == sources[0].load
    assert second.masks == "none"


def test_photos_that_are_gone_and_older_scenes_have_none(tmp_path: Path) -> None:
    scene, sources = project(tmp_path)
    assert read_sources(scene) == ()
    write_sources(scene, sources)
    (tmp_path / "photos" / "a.jpg").unlink()
    assert read_sources(scene) == ()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos.json").write_text('[{"photos": 3}]')
    with pytest.raises(FormatError, match=r"photos.json: is damaged.*`photos`"):
        read_sources(tmp_path)
