from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("pycolmap", reason="no wheel of pycolmap for this platform")

from localisation_set import SIZE, K, Written, write_set

from align.export.colmap_reader import colmap_camera
from align.localise.data_set import (
    camera_of,
    map_camera,
    open_maps,
    open_query,
    read_candidates,
    read_map,
    read_queries,
    read_true_poses,
)
from masks.errors import FormatError, MaskError
from pairs.views.view import grid_mask


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_set(tmp_path_factory.mktemp("set"))


def test_map_photos_see_their_points_where_the_cameras_project_them(written: Written) -> None:
    data = written.load()
    poses = read_true_poses(written.model)
    maps = list(open_maps(data, "query/0.png"))
    assert [each.view.name for each in maps] == list(poses)
    for each in maps:
        pose = poses[each.view.name]
        image = (each.seen.points @ pose[:3, :3].T + pose[:3, 3]) @ K.T
        np.testing.assert_allclose(image[:, :2] / image[:, 2:], each.seen.xy, atol=1e-6)
        assert each.view.K is not None
        np.testing.assert_allclose(each.view.K, K)
        assert len(each.seen.xy) > 100


@pytest.mark.parametrize(
    ("model", "params", "K_diagonal", "distortion"),
    [
        ("SIMPLE_PINHOLE", [700, 320, 240], (700, 700), None),
        ("PINHOLE", [700, 710, 320, 240], (700, 710), None),
        ("SIMPLE_RADIAL", [700, 320, 240, 0.1], (700, 700), (0.1, 0, 0, 0)),
        ("RADIAL", [700, 320, 240, 0.1, 0.2], (700, 700), (0.1, 0.2, 0, 0)),
        ("OPENCV", [700, 710, 320, 240, 0.1, 0.2, 0.3, 0.4], (700, 710), (0.1, 0.2, 0.3, 0.4)),
        ("OPENCV", [700, 710, 320, 240, 0, 0, 0, 0], (700, 710), None),
    ],
)
def test_published_lenses_are_read(
    tmp_path: Path,
    model: str,
    params: list[float],
    K_diagonal: tuple[float, float],
    distortion: tuple[float, ...] | None,
) -> None:
    path = tmp_path / "queries.txt"
    path.write_text(f"# a list\n\nday/a.jpg {model} 640 480 {' '.join(map(str, params))}\n")
    camera = read_queries(path)["day/a.jpg"]
    np.testing.assert_allclose(camera.K, [[K_diagonal[0], 0, 319.5], [0, K_diagonal[1], 239.5], [0, 0, 1]])
    assert camera.distortion == distortion
    assert camera.size == (640, 480)


@pytest.mark.parametrize(
    "line",
    [
        "a.jpg",
        "a.jpg PINHOLE 640 480 700 320 240",
        "a.jpg WIDE 640 480 700 320 240",
        "a.jpg SIMPLE_PINHOLE 640 480 nan 320 240",
        "a.jpg SIMPLE_PINHOLE 640 480 -700 320 240",
        "a.jpg SIMPLE_PINHOLE x 480 700 320 240",
    ],
)
def test_a_damaged_line_of_queries_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "queries.txt"
    path.write_text(f"{line}\n")
    with pytest.raises(FormatError, match=r"queries.txt, line 1"):
        read_queries(path)


def test_other_lenses_are_refused_by_name() -> None:
    fisheye = colmap_camera("OPENCV_FISHEYE", (640, 480), (700, 700, 320, 240, 0, 0, 0, 0))
    with pytest.raises(FormatError, match=r"map/1.png.*OPENCV_FISHEYE"):
        camera_of(fisheye, "map/1.png")


def test_pairs_come_best_first_and_no_more_than_asked(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("# query_image, map_image, score\nq, a, 0.5\nq, b, 0.9\nq, c, 0.5\nr, a, 0.1\n")
    assert read_candidates(path) == {"q": ("b", "a", "c"), "r": ("a",)}
    assert read_candidates(path, 2) == {"q": ("b", "a"), "r": ("a",)}
    path.write_text("q b\nq a\nr a\n")
    assert read_candidates(path) == {"q": ("b", "a"), "r": ("a",)}
    path.write_text("q b\nq\n")
    with pytest.raises(FormatError, match="line 2"):
        read_candidates(path)
    with pytest.raises(FormatError, match="nowhere"):
        read_candidates(tmp_path / "nowhere.txt")


def test_masks_are_white_where_something_counts(written: Written) -> None:
    data = written.load(masked=True)
    query = open_query(data, "query/0.png")
    drawn = np.asarray(Image.open(written.masks / "query/0.png.png")) > 0
    assert query.mask is not None
    np.testing.assert_array_equal(query.mask.pixels, drawn)
    assert 0.1 < grid_mask(query).mean() < 0.9
    with pytest.raises(MaskError, match=r"query/0.png.png"):
        open_query(replace(data, masks=written.photos), "query/0.png")


def test_what_does_not_fit_is_named(written: Written, tmp_path: Path) -> None:
    data = written.load()
    small = replace(data.queries["query/0.png"], size=(320, 240))
    with pytest.raises(FormatError, match=r"448x336.*320x240"):
        open_query(replace(data, queries={"query/0.png": small}), "query/0.png")
    unknown = replace(data, candidates={"query/0.png": ("map/9.png",)})
    with pytest.raises(FormatError, match=r"map/9.png.*query/0.png"):
        list(open_maps(unknown, "query/0.png"))
    with pytest.raises(FormatError, match="no COLMAP model"):
        read_map(tmp_path)


def test_a_turned_photo_is_taken_as_its_file_stores_it(written: Written, tmp_path: Path) -> None:
    folder = tmp_path / "query"
    folder.mkdir()
    exif = Image.Exif()
    exif[274] = 6
    Image.open(written.photos / "query/0.png").save(folder / "0.png", exif=exif)
    query = open_query(replace(written.load(), photos=tmp_path), "query/0.png")
    assert query.photo_size == SIZE
    assert map_camera(written.load().map, "map/0.png").size == SIZE
