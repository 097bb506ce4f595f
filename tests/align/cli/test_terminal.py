"""What goes to the terminal: names that command it, streams that are full, closed or gone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from stored_scene import small_scene

from align.cli.console import StageDisplay, print_error, print_result, require_writable, summary
from align.cli.main import main
from align.cli.terminal import printable
from align.scene_folder import save_scene
from masks.errors import OutputError
from masks.notice import warning

FULL = Path("/dev/full")
NASTY = "\x1b]0;title\x07\x1b[2J\x9b31m\u202egpj.\udc80"
SHOWN = r"\x1b]0;title\x07\x1b[2J\x9b31m\u202egpj.\udc80"
needs_full = pytest.mark.skipif(not FULL.exists(), reason="a device that is always full")


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert printable(NASTY) == SHOWN
    assert printable("Größe: 3 µm,\t日本語, 👩‍🔬\n") == "Größe: 3 µm,\t日本語, 👩‍🔬\n"


def test_names_command_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(f"{NASTY}: no such file")
    print_result(NASTY)
    StageDisplay().show([warning(NASTY, f"text {NASTY}")])
    said = capsys.readouterr()
    assert SHOWN in said.out
    assert said.err.count(SHOWN) == 3
    assert not set("\x1b\x07\x9b\u202e") & set(said.out + said.err)


def test_a_scene_with_such_names_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = small_scene()
    first = replace(scene.views[0], name="\x1b[2J.png")
    save_scene(replace(scene, views=(first, *scene.views[1:])), tmp_path)
    assert main(["info", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert r"\x1b[2J.png" in said
    assert "\x1b" not in said


def test_letters_that_the_terminal_lacks_are_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as output:
        monkeypatch.setattr(sys, "stdout", output)
        print_result("Größe")
    assert (tmp_path / "out").read_text() == "Gr\\xf6\\xdfe\n"


@needs_full
def test_a_full_standard_output_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with FULL.open("w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(OutputError, match=r"standard output cannot be written .*space"):
            print_result("result")


def test_a_standard_output_that_is_closed_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    print_result("result")


@needs_full
def test_a_standard_error_that_is_full_stops_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    with FULL.open("w") as output:
        monkeypatch.setattr(sys, "stderr", output)
        with StageDisplay() as display:
            display("reading", 0, 1)
            display("aligning", 1, 1)
        print_error("wrong")
    assert set(display.seconds) == {"reading", "aligning"}
    monkeypatch.setattr(sys, "stderr", None)
    with StageDisplay() as display:
        display("reading", 0, 1)
    print_error("wrong")


def test_a_probe_leaves_a_file_of_its_old_name_alone(tmp_path: Path) -> None:
    (tmp_path / ".writable").write_bytes(b"mine")
    require_writable(tmp_path, "--out")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(".writable", b"mine")]
    with pytest.raises(OutputError, match=r"Choose another folder with --out"):
        require_writable(tmp_path / ".writable" / "in", "--out")


def test_the_next_command_can_be_typed_for_a_folder_that_begins_with_a_dash() -> None:
    assert "pointloom export ./-d --format glb --out ./-d/object.glb" in summary(small_scene(), Path("-d"))


def test_photos_that_begin_with_a_dash_are_told_how_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-photos").mkdir()
    with pytest.raises(SystemExit) as left:
        main(["reconstruct", "-photos", "--out", "s"])
    assert left.value.code == 2
    assert "write ./-photos" in capsys.readouterr().err


@pytest.mark.slow
@needs_full
@pytest.mark.parametrize(
    ("streams", "code"),
    [
        (">&-", 0),
        (">/dev/full", 2),
        ("2>/dev/full", 0),
        ("<&- >&- 2>&-", 0),
        ("| head -c 1", 0),
    ],
)
@pytest.mark.parametrize("asked", ["info", "--help", "--version"])
def test_no_stream_makes_a_traceback(tmp_path: Path, asked: str, streams: str, code: int) -> None:
    save_scene(small_scene(), tmp_path / "scene")
    asked = f"info {tmp_path / 'scene'}" if asked == "info" else asked
    run = f"'{sys.executable}' -c 'import sys; from align.cli.entry import run; sys.exit(run())' {asked}"
    line = f"set -o pipefail; {run} {streams}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
