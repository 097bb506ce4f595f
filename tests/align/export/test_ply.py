"""Clouds come back from PLY files, and damaged files are told apart from good ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from plane_scene import NORMAL, OFFSET, plane_scene

from align.export.export_scene import export_scene
from align.export.ply import read_ply, write_ply
from align.points import PointCloud
from masks.errors import FormatError, OutputError


def cloud(seed: int, count: int, with_conf: bool) -> PointCloud:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, 3)).astype(np.float32).astype(np.float64)
    conf = rng.uniform(1, 9, count).astype(np.float32).astype(np.float64) if with_conf else None
    return PointCloud(points, rng.integers(0, 256, (count, 3)).astype(np.uint8), conf)


@given(st.integers(0, 1000), st.integers(0, 40), st.booleans())
def test_a_cloud_comes_back(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, with_conf: bool
) -> None:
    path, written = tmp_path_factory.mktemp("ply") / "cloud.ply", cloud(seed, count, with_conf)
    write_ply(path, written)
    read = read_ply(path)
    np.testing.assert_array_equal(read.points, written.points)
    np.testing.assert_array_equal(read.colours, written.colours)
    assert (read.conf is None) == (not with_conf)
    if read.conf is not None and written.conf is not None:
        np.testing.assert_array_equal(read.conf, written.conf)


def test_another_program_reads_what_we_write(tmp_path: Path) -> None:
    written = cloud(0, 50, with_conf=True)
    write_ply(tmp_path / "cloud.ply", written)
    read = trimesh.load(tmp_path / "cloud.ply")
    np.testing.assert_array_equal(read.vertices, written.points)
    np.testing.assert_array_equal(np.asarray(read.colors)[:, :3], written.colours)


def test_a_scenes_points_have_normals_that_another_program_reads(tmp_path: Path) -> None:
    export_scene(plane_scene(), tmp_path / "points.ply", "ply")
    vertex = trimesh.load(tmp_path / "points.ply").metadata["_ply_raw"]["vertex"]["data"]
    points = np.stack([vertex[axis] for axis in "xyz"], axis=-1)
    normals = np.stack([vertex[name] for name in ("nx", "ny", "nz")], axis=-1)
    np.testing.assert_allclose(points @ NORMAL, OFFSET, atol=1e-5)
    np.testing.assert_allclose(normals, np.broadcast_to(NORMAL, normals.shape), atol=1e-4)
    assert (vertex["confidence"] == 5).all()


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_we_read_what_another_program_writes(tmp_path: Path, encoding: str) -> None:
    box = trimesh.creation.box()
    (tmp_path / "box.ply").write_bytes(trimesh.exchange.ply.export_ply(box, encoding=encoding))
    read = read_ply(tmp_path / "box.ply")
    np.testing.assert_allclose(read.points, box.vertices)
    assert len(np.unique(read.colours)) == 1


def test_a_file_of_the_other_byte_order_is_read(tmp_path: Path) -> None:
    table = np.array([(1.5, -2, 3, 7)], np.dtype([(name, ">f8") for name in "xyz"] + [("label", ">i4")]))
    header = "ply\nformat binary_big_endian 1.0\nelement vertex 1\n"
    header += "".join(f"property double {name}\n" for name in "xyz") + "property int label\nend_header\n"
    (tmp_path / "big.ply").write_bytes(header.encode() + table.tobytes())
    np.testing.assert_array_equal(read_ply(tmp_path / "big.ply").points, [[1.5, -2, 3]])


@pytest.mark.parametrize("kept", [0, 3, 60, 150, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    write_ply(tmp_path / "cloud.ply", cloud(0, 20, with_conf=False))
    whole = (tmp_path / "cloud.ply").read_bytes()
    (tmp_path / "cut.ply").write_bytes(whole[:kept])
    with pytest.raises(FormatError, match=r"cut\.ply"):
        read_ply(tmp_path / "cut.ply")


@pytest.mark.parametrize(
    "header",
    [
        (
            "ply\nformat ascii 1.0\nelement vertex 999999999999\nproperty float x\nproperty float "
            "y\nproperty "
            "float z\nend_header\n1 2 3\n"
        ),
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nend_header\n1 2\n",
        (
            "ply\nformat ascii 1.0\nelement vertex 1\nproperty list uchar int x\nproperty float y\nproperty "
            "float z\nend_header\n1 2 3\n"
        ),
        (
            "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float "
            "z\nproperty float x\nend_header\n1 2 3 4\n"
        ),
        (
            "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float "
            "z\nend_header\n1 2 three\n"
        ),
        (
            "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float "
            "z\nend_header\n1 2 nan\n"
        ),
        (
            "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float "
            "z\nproperty float confidence\nend_header\n1 2 3 inf\n"
        ),
        "ply\nformat odd 1.0\nelement vertex 1\nend_header\n",
        "ply\nformat ascii 1.0\nelement vertex -1\nend_header\n",
    ],
)
def test_a_header_that_promises_nonsense_is_refused(tmp_path: Path, header: str) -> None:
    (tmp_path / "odd.ply").write_text(header)
    with pytest.raises(FormatError, match=r"odd\.ply"):
        read_ply(tmp_path / "odd.ply")


def test_a_place_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="another place"):
        write_ply(tmp_path / "file" / "cloud.ply", cloud(0, 1, with_conf=False))
