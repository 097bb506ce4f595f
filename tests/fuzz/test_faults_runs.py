"""Whole runs of the command line on a damaged store, with signals, and into one folder at once: what comes
out is what an undisturbed run gives, byte for byte.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save
from textured_roof import ANGLES, render

from align.cli.main import main
from align.scene_folder import load_scene

pytestmark = pytest.mark.slow
SCENE_FILES = ("scene.json", "views.safetensors")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with five photos and their masks."""
    folder = tmp_path_factory.mktemp("roof")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for k, angle in enumerate(ANGLES):
        photo, mask = render(angle)
        Image.fromarray(photo).save(folder / "images" / f"{k}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "masks" / f"{k}.png")
    return folder


def arguments(photos: Path, out: Path, *more: str) -> list[str]:
    folders = [str(photos / "images"), "--masks", str(photos / "masks"), "--out", str(out)]
    return ["reconstruct", *folders, "--longest", "160", *more]


@pytest.fixture(scope="module")
def undisturbed(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene and store of one run."""
    out = tmp_path_factory.mktemp("undisturbed") / "scene"
    assert main(arguments(photos, out)) == 0
    return out


def contents(out: Path) -> dict[str, bytes]:
    """Return all files of a scene and its store."""
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def flipped(path: Path, rng: np.random.Generator) -> bytes:
    """40 bits."""
    bits = np.unpackbits(np.frombuffer(path.read_bytes(), np.uint8))
    bits[rng.choice(len(bits), 40, replace=False)] ^= 1
    return np.packbits(bits).tobytes()


def zeroed(path: Path, rng: np.random.Generator) -> bytes:
    """The numbers all zero, as after a power cut."""
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    return whole[:start] + bytes(len(whole) - start)


def without_an_array(path: Path, rng: np.random.Generator) -> bytes:
    """Well formed, and one array less."""
    arrays = load_file(path)
    del arrays[sorted(arrays)[int(rng.integers(len(arrays)))]]
    return save(arrays)


def of_another_key(path: Path, rng: np.random.Generator) -> bytes:
    """A whole entry, but another one."""
    others = [other for other in sorted(path.parent.iterdir()) if other != path]
    return others[int(rng.integers(len(others)))].read_bytes() if others else b""


@pytest.mark.parametrize("damage", [flipped, zeroed, without_an_array, of_another_key])
def test_damaged_entries_are_said_and_made_again(
    photos: Path,
    undisturbed: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path, np.random.Generator], bytes],
) -> None:
    out = shutil.copytree(undisturbed, tmp_path / "scene")
    rng, entries = np.random.default_rng(4), sorted((out / "store").rglob("*.safetensors"))
    assert len({entry.parent.name for entry in entries}) == 6
    damaged = {entry: damage(entry, rng) for entry in entries}
    for entry, content in damaged.items():
        entry.write_bytes(content)
    assert main(arguments(photos, out)) == 0
    assert contents(out) == contents(undisturbed)
    for entry in entries:
        assert f"{entry}: damaged store entry" in caplog.text


@pytest.mark.parametrize(
    "kind", ["features", "scene_solve", "photometric_depth", "fused_depth", "pair_matches"]
)
def test_an_entry_of_an_older_program_that_lacks_an_array_is_made_again(
    photos: Path, undisturbed: Path, tmp_path: Path, kind: str
) -> None:
    lacking = Path(__file__).parents[3] / "shared/cases/fuzz/store_entry_without_an_array/entry.safetensors"
    if not lacking.exists():
        pytest.skip(f"{lacking}: not here")
    out = shutil.copytree(undisturbed, tmp_path / "scene")
    later = ["fused_depth", "photometric_depth", "scene_solve"]
    for step in later[: later.index(kind) + 1] if kind in later else later if kind == "features" else ():
        shutil.rmtree(out / "store" / step)
    (out / "store" / kind).mkdir(exist_ok=True)
    for entry in (undisturbed / "store" / kind).iterdir():
        shutil.copy(lacking, out / "store" / kind / entry.name)
    assert main(arguments(photos, out)) == 0
    assert contents(out) == contents(undisturbed)


@pytest.mark.parametrize(
    "kind",
    ["features", "feature_matches", "scene_solve", "photometric_depth", "fused_depth", "pair_matches"],
)
def test_one_damaged_entry_of_a_kind_is_made_again_from_what_is_whole(
    photos: Path, undisturbed: Path, tmp_path: Path, kind: str
) -> None:
    out = shutil.copytree(undisturbed, tmp_path / "scene")
    # What is made from it goes, so that it is read at all.
    order = ["features", "feature_matches", "scene_solve", "photometric_depth", "fused_depth", "pair_matches"]
    for later in order[order.index(kind) + 1 :]:
        shutil.rmtree(out / "store" / later)
    entry = min((out / "store" / kind).iterdir())
    entry.write_bytes(flipped(entry, np.random.default_rng(0)))
    assert main(arguments(photos, out)) == 0
    assert contents(out) == contents(undisturbed)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM"])
def test_a_signal_in_the_scene_solve_leaves_nothing_in_the_temporary_folder(
    photos: Path, undisturbed: Path, tmp_path: Path, name: str
) -> None:
    temporary, out = tmp_path / "temporary", tmp_path / "scene"
    temporary.mkdir()
    process = start(photos, out, temporary)
    while not list(temporary.glob("pointloom-*/*")) and process.poll() is None:
        time.sleep(0.001)
    # The whole group, as a terminal that is closed does, and twice, as its shell does.
    for _ in range(2):
        os.killpg(process.pid, getattr(signal, name))
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert list(temporary.glob("pointloom-*")) == []
    assert not list(out.rglob("*.tmp"))
    assert main(arguments(photos, out)) == 0
    assert contents(out) == contents(undisturbed)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="locks of POSIX")
def test_what_a_kill_leaves_is_swept_at_the_next_start(
    photos: Path, undisturbed: Path, tmp_path: Path
) -> None:
    temporary, out = tmp_path / "temporary", tmp_path / "scene"
    temporary.mkdir()
    process = start(photos, out, temporary)
    while not list(temporary.glob("pointloom-*/*")) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.communicate(timeout=60)
    assert list(temporary.glob("pointloom-*")) != []
    again = start(photos, out, temporary)
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert list(temporary.glob("pointloom-*")) == []
    assert contents(out) == contents(undisturbed)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
def test_a_signal_that_is_ignored_stays_ignored(photos: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "scene"
    process = start(photos, out, tmp_path, lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    while not (out / "store").exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert contents(out) == contents(undisturbed)


def hear_signals() -> None:
    """Undo what whoever runs the tests ignores, as `nohup` and shells do for their background."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


def start(
    photos: Path, out: Path, temporary: Path, first: Callable[[], object] | None = None
) -> subprocess.Popen[str]:
    """Start a run with a temporary folder of its own, in a group of processes of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "align.cli.main", *arguments(photos, out)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=first or hear_signals,
    )


def test_runs_into_one_folder_at_once_leave_the_same_scene(
    photos: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scene"
    runs = [start(photos, out, tmp_path) for _ in range(2)]
    for run in runs:
        run.communicate(timeout=120)
        assert run.returncode == 0
    assert contents(out) == contents(undisturbed)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_is_only_read_serves_as_long_as_it_holds_every_step(
    photos: Path, undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = shutil.copytree(undisturbed / "store", tmp_path / "store")
    folders = [store, *store.iterdir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert main(arguments(photos, tmp_path / "scene", "--store", str(store))) == 0
        for name in SCENE_FILES:
            assert (tmp_path / "scene" / name).read_bytes() == (undisturbed / name).read_bytes()
        assert main(arguments(photos, tmp_path / "scene", "--store", str(store), "--seed", "1")) == 2
        assert "cannot be written (Permission denied)" in capsys.readouterr().err
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_a_folder_that_is_removed_while_it_runs_is_made_again(
    photos: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from align import pipeline

    out, align = tmp_path / "scene", pipeline.align_predictions

    def aligned_meanwhile(*args, **more):
        out.rmdir()
        return align(*args, **more)

    monkeypatch.setattr(pipeline, "align_predictions", aligned_meanwhile)
    assert main(arguments(photos, out, "--store", str(undisturbed / "store"))) == 0
    for name in SCENE_FILES:
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes()


def test_a_caller_may_change_its_folder_while_it_is_told_of_progress(
    photos: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from align.pipeline import reconstruct
    from pairs.views.grid import GridOptions
    from pairs.views.load import LoadOptions

    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(photos, tmp_path / "roof")
    monkeypatch.chdir(tmp_path / "roof")

    def leave(stage: str, done: int, total: int) -> None:
        os.chdir(tmp_path / "elsewhere")

    options = LoadOptions(grid=GridOptions(longest=160))
    found = reconstruct("images", "masks", load=options, store="kept", progress=leave)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert len(list((tmp_path / "roof" / "kept").iterdir())) == 6
    for ours, theirs in zip(found.views, load_scene(undisturbed).views, strict=True):
        np.testing.assert_array_equal(ours.depth, theirs.depth)
