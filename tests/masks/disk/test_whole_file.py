"""Files appear whole or not at all, where they were asked for and nowhere else."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import nullcontext
from pathlib import Path

import faulty_disk
import pytest

from masks.disk.locks import hold
from masks.disk.whole_file import commit, discard, stage, sweep_temporary_files, write_whole
from masks.errors import OutputError


def test_a_file_and_its_folders_are_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "c.bin", b"new")
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"new"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "a" / "b" / "c.bin").stat().st_mode) == 0o666 & ~umask


_CALLS = ["mkdir", "open", "write", "write", "fsync", "replace", "fsync"]


@pytest.mark.parametrize("at", range(len(_CALLS)))
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, at: int) -> None:
    target = tmp_path / "a.bin"
    write_whole(target, b"old")
    # The folder is there already, and not every file system can bring one to the disk.
    harmless = at in (0, len(_CALLS) - 1)
    with (
        nullcontext()
        if harmless
        else pytest.raises(OutputError, match=r"cannot be written .*Free some space"),
        faulty_disk.fault(at, faulty_disk.full, faulty_disk.WRITING) as calls,
    ):
        write_whole(target, b"xy")
    assert calls.seen == (_CALLS if harmless else _CALLS[: at + 1])
    assert target.read_bytes() == (b"xy" if harmless else b"old")
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"x\.bin: cannot be written"):
        write_whole(tmp_path / "file" / "x.bin", b"")


def test_a_link_is_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "real.bin").write_bytes(b"old")
    for name in ("real.bin", "new.bin"):
        (tmp_path / name).symlink_to(elsewhere / name)
        write_whole(tmp_path / name, b"new")
        assert (tmp_path / name).is_symlink()
        assert (elsewhere / name).read_bytes() == b"new"


def test_a_circle_of_links_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OutputError, match="cannot be written"):
        write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").is_symlink()


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "device"])
def test_what_is_no_file_is_refused_and_stays(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    if kind == "pipe":
        os.mkfifo(target)
    elif kind == "folder":
        target.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(target))
    else:
        target = Path(os.devnull)
    before = target.lstat()
    with pytest.raises(OutputError, match=r"it is a .*Choose another place"):
        write_whole(target, b"new")
    assert os.path.samestat(target.lstat(), before)


def test_a_link_with_the_name_of_an_earlier_temporary_file_is_left_alone(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / f".w.ply.{os.getpid()}.tmp").symlink_to(victim)
    write_whole(tmp_path / "w.ply", b"new")
    assert victim.read_bytes() == b"mine"
    assert not (tmp_path / "w.ply").is_symlink()


def test_temporary_files_of_the_dead_are_swept_and_no_others(tmp_path: Path) -> None:
    staged = stage(tmp_path / "living.bin", b"new")
    dead = tmp_path / ".pointloom-0123456789abcdef.tmp"
    dead.write_bytes(b"half")
    others = (tmp_path / ".other.tmp", tmp_path / ".pointloom-0123456789abcdef.tmp.bak")
    for other in others:
        other.write_bytes(b"mine")
    link = tmp_path / ".pointloom-fedcba9876543210.tmp"
    link.symlink_to(others[0])
    sweep_temporary_files(tmp_path)
    assert not dead.exists()
    assert all(other.exists() for other in others)
    assert link.is_symlink()
    commit(staged)
    assert (tmp_path / "living.bin").read_bytes() == b"new"
    sweep_temporary_files(tmp_path / "no such folder")


def test_a_file_that_was_swept_before_it_was_held_is_not_used(tmp_path: Path) -> None:
    with (tmp_path / "a").open("xb") as opened:
        (tmp_path / "a").unlink()
        assert not hold(opened.fileno())
    with (tmp_path / "b").open("xb") as opened, (tmp_path / "b").open("rb+") as other:
        assert hold(opened.fileno())
        assert not hold(other.fileno())


def test_a_staged_file_can_be_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    discard(stage(tmp_path / "a", b"new"))
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"old")]
