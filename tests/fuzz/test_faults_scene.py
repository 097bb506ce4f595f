"""A scene is replaced when the new one is whole, and not before, whatever happens in between."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import faulty_disk
import numpy as np
import pytest
from safetensors.numpy import save
from stored_scene import small_scene

from align.scene import Scene
from align.scene_folder import load_scene, remove_parts, save_scene, save_scenes
from masks.errors import FormatError, OutputError
from pairs.prediction.sealed_arrays import read_sealed

OLD, NEW = 1.0, 2.0


def flat_scene(depth: float) -> Scene:
    """Return a scene that its depth tells from others."""
    scene = small_scene()
    return replace(
        scene,
        views=tuple(replace(view, depth=np.full_like(view.depth, depth)) for view in scene.views),
    )


def scenes(folder: Path, depth: float) -> dict[Path, Scene]:
    return {folder: flat_scene(depth), folder / "part-2": flat_scene(10 * depth)}


def depth_in(folder: Path) -> float:
    return float(load_scene(folder).views[0].depth[0, 0])


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


SCENE = {"scene.json", "views.safetensors"}
WHOLE = SCENE | {"part-2", *(f"part-2/{name}" for name in SCENE)}


def write_as_before(found: Scene, folder: Path) -> None:
    """Write a scene as programs did that stated no digest."""
    save_scene(found, folder)
    document = json.loads((folder / "scene.json").read_text())
    del document["arrays_digest"]
    (folder / "scene.json").write_text(json.dumps(document))
    (folder / "views.safetensors").write_bytes(save(dict(read_sealed(folder / "views.safetensors"))))


def written_before(folder: Path, what: str) -> Path:
    """Write what a folder holds before the new scenes come."""
    folder.mkdir()
    for place, each in scenes(folder, OLD).items() if what != "none" else ():
        (save_scene if what == "old" else write_as_before)(each, place)
    return folder


@pytest.mark.parametrize("before", ["none", "old", "of an earlier format"])
def test_a_disk_that_fills_up_at_any_call_leaves_the_older_scene(tmp_path: Path, before: str) -> None:
    at, refused, template = 0, 0, written_before(tmp_path / "before", before)
    while True:
        folder = shutil.copytree(template, tmp_path / str(at))
        with faulty_disk.fault(at, faulty_disk.full, faulty_disk.WRITING) as calls:
            try:
                save_scenes(scenes(folder, NEW))
                written = True
            except OutputError:
                written = False
        refused += not written
        # Two files of arrays and one document have got their names: that is the new part's.
        half = not written and calls.seen.count("replace") > 3
        if before == "none" and not written:
            assert not (folder / "scene.json").exists()
            assert (folder / "part-2" / "scene.json").exists() == half
        else:
            assert depth_in(folder) == (NEW if written else OLD)
            assert depth_in(folder / "part-2") == 10 * (NEW if written or half else OLD)
        assert not {name for name in tree(folder) if name.endswith(".tmp")}
        if len(calls.seen) <= at:
            break
        at += 1
    assert refused > 10


KILLED = """
import sys
from pathlib import Path
import faulty_disk
from test_faults_scene import NEW, scenes
from align.scene_folder import remove_parts, save_scenes

def work(k):
    folder = Path(sys.argv[1]) / str(k)
    new = scenes(folder, NEW)
    save_scenes(new)
    remove_parts(folder, keep=new)

print(faulty_disk.die_at_every_call(work))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.parametrize("before", ["old", "of an earlier format"])
def test_a_kill_at_any_call_leaves_the_older_scene_or_the_new_one(tmp_path: Path, before: str) -> None:
    template = written_before(tmp_path / "before", before)
    if before == "old":
        save_scene(flat_scene(30 * OLD), template / "part-3")
    for k in range(100):
        shutil.copytree(template, tmp_path / str(k))
    path = (*filter(None, sys.path), str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    died = int(done.stdout)
    assert 20 < died < 100
    found = [(depth_in(tmp_path / str(k)), depth_in(tmp_path / str(k) / "part-2")) for k in range(died)]
    assert set(found) == {(OLD, 10 * OLD), (OLD, 10 * NEW), (NEW, 10 * NEW)}
    # The parts go first, so a new first scene never stands beside older parts; and what is new stays new.
    assert found == sorted(found)
    for k in range(died):
        folder = tmp_path / str(k)
        new = scenes(folder, NEW)
        save_scenes(new)
        remove_parts(folder, keep=new)
        assert tree(folder) - {"part-3"} == WHOLE  # which may be left, empty


def test_a_file_of_a_similar_name_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "views.backup.safetensors"
    mine.write_bytes(b"mine")
    save_scene(flat_scene(OLD), tmp_path)
    save_scene(flat_scene(NEW), tmp_path)
    assert mine.read_bytes() == b"mine"
    assert tree(tmp_path) == SCENE | {mine.name}


def test_every_flipped_bit_of_a_scenes_arrays_is_seen(tmp_path: Path) -> None:
    save_scene(flat_scene(OLD), tmp_path)
    path = tmp_path / "views.safetensors"
    whole = path.read_bytes()
    for bit in np.random.default_rng(0).integers(8 * len(whole), size=40).tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match=r"damaged .*Reconstruct it again"):
            load_scene(tmp_path)


def test_arrays_of_another_scene_are_not_taken_for_this_ones(tmp_path: Path) -> None:
    save_scene(flat_scene(OLD), tmp_path / "a")
    save_scene(flat_scene(NEW), tmp_path / "b")
    (tmp_path / "b" / "views.safetensors").rename(tmp_path / "a" / "views.safetensors")
    with pytest.raises(FormatError, match="belongs to another result"):
        load_scene(tmp_path / "a")


def test_a_scene_that_states_no_digest_is_read(tmp_path: Path) -> None:
    write_as_before(flat_scene(OLD), tmp_path)
    assert depth_in(tmp_path) == OLD


@pytest.mark.parametrize("digest", ["../../x", 5, ["0"], "0" * 64])
def test_a_digest_that_is_none_is_a_damaged_scene(tmp_path: Path, digest: object) -> None:
    save_scene(flat_scene(OLD), tmp_path)
    document: Mapping[str, object] = json.loads((tmp_path / "scene.json").read_text())
    (tmp_path / "scene.json").write_text(json.dumps({**document, "arrays_digest": digest}))
    with pytest.raises(FormatError, match="damaged"):
        load_scene(tmp_path)


_SAVE_OFTEN = """
import sys
from pathlib import Path
from test_faults_scene import scenes
from align.scene_folder import save_scenes
for k in range(40):
    save_scenes(scenes(Path(sys.argv[1]), float(sys.argv[2]) + k))
"""


@pytest.mark.slow
def test_runs_into_one_folder_leave_the_scene_of_one_of_them_at_every_moment(tmp_path: Path) -> None:
    save_scenes(scenes(tmp_path, OLD))
    path = (*filter(None, sys.path), str(Path(__file__).parent))
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", _SAVE_OFTEN, str(tmp_path), str(100 * k)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        )
        for k in (1, 2, 3)
    ]
    seen = set()
    while any(run.poll() is None for run in runs):
        seen.add(depth_in(tmp_path))
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(seen) > 5
    assert depth_in(tmp_path) in (139, 239, 339)
    assert tree(tmp_path) == WHOLE
