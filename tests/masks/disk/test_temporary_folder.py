"""Temporary folders go with their process, or at the next start."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from masks.disk.temporary_folder import sweep_temporary_folders, temporary_file, temporary_folder
from masks.errors import OutputError

_KILLED = """
import os, sys, tempfile
from masks.disk.temporary_folder import temporary_folder
with temporary_folder() as folder:
    (folder / "matches.db").write_bytes(b"x")
    (folder / "inner").mkdir()
    sys.stdout.write(str(folder))
    sys.stdout.flush()
    os._exit(9)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use an empty folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_a_folder_goes_with_its_block(place: Path) -> None:
    with temporary_folder() as folder:
        assert folder.parent == place
        assert list(folder.iterdir()) == []
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "a").write_bytes(b"a")
        sweep_temporary_folders()
        assert (folder / "a").exists()
    with pytest.raises(KeyboardInterrupt), temporary_folder() as folder:
        raise KeyboardInterrupt
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_swept_at_the_next_start(place: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED], capture_output=True, text=True, check=False)
    assert done.returncode == 9
    left = Path(done.stdout)
    assert (left / "matches.db").exists()
    mine = place / "pointloom-photos"
    mine.mkdir()
    with temporary_folder():
        assert not left.exists()
    assert list(place.iterdir()) == [mine]


def test_nothing_is_removed_through_a_link(place: Path) -> None:
    mine = place / "mine"
    mine.mkdir()
    (mine / "a").write_bytes(b"a")
    (place / "pointloom-0123456789abcdef").symlink_to(mine)
    (place / "pointloom-0123456789abcdef.in-use").touch()
    (place / "pointloom-fedcba9876543210.in-use").symlink_to(mine / "a")
    sweep_temporary_folders()
    assert (mine / "a").read_bytes() == b"a"
    assert (place / "pointloom-fedcba9876543210.in-use").is_symlink()


def test_no_place_for_temporary_files_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(place / "gone"))
    with pytest.raises(OutputError, match="TMPDIR"), temporary_folder():
        pass
    with pytest.raises(OutputError, match="TMPDIR"):
        temporary_file()
