"""The watch itself: what readers must not do is seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from mutations import BY_ENDING, damaged_bytes, damaged_json, mutated
from readers import READERS

_BAD_READER = """
import sys
from pathlib import Path
import campaign
from readers import READERS, Reader

def one_file(folder):
    (folder / "a.txt").write_text("hello")
    return [folder / "a.txt"]

def foreign(root, path):
    if path.read_text() != "hello":
        raise LookupError("not ours")

def greedy(root, path):
    if path.read_text() != "hello":
        bytearray(3 << 29)

def starts(root, path):
    if path.read_text() != "hello":
        import subprocess
        subprocess.run(["true"])

def endless(root, path):
    while path.read_text() != "hello":
        pass

campaign.mutated = lambda name, content, rng: b"changed"
campaign.MOST_SECONDS = 0.3 if "endless" in sys.argv else 10
for name in sys.argv[2:]:
    READERS[name] = Reader(one_file, globals()[name])
    folder = Path(sys.argv[1], name)
    folder.mkdir()
    campaign.run(name, 0, 2, folder)
"""


def campaigns(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    search = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = [sys.executable, "-c", _BAD_READER, folder, *names]
    return subprocess.run(run, env=search, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_what_a_reader_must_not_do_is_seen(tmp_path: Path) -> None:
    done = campaigns(tmp_path, "foreign", "greedy", "starts")
    assert done.returncode == 0, done.stderr
    said = {name: json.loads((tmp_path / name / "tally.json").read_text()) for name in os.listdir(tmp_path)}
    assert [len(tally["failures"]) for tally in said.values()] == [2, 2, 2]
    assert "LookupError: not ours" in said["foreign"]["failures"][0]
    assert "starts subprocess.Popen" in said["starts"]["failures"][0]
    if sys.platform == "linux":
        assert "takes 15" in said["greedy"]["failures"][0]
    kept = next((tmp_path / "foreign").glob("*-a.txt"))
    assert kept.read_text() == "changed"


@pytest.mark.slow
def test_a_reader_that_does_not_come_back_is_ended(tmp_path: Path) -> None:
    assert campaigns(tmp_path, "endless").returncode < 0
    assert int((tmp_path / "endless" / "number").read_text()) == 0


def test_equal_seeds_give_equal_damage_and_most_is_some() -> None:
    data = b'{"a": [1, 2.5, "x"], "b": {"c": null}}'
    for mutation in (damaged_bytes, damaged_json, *BY_ENDING[".txt"]):
        twice = [[mutation(data, Random(f"{seed}")) for seed in range(50)] for _ in range(2)]
        assert twice[0] == twice[1]
        assert len(set(twice[0])) > 25


@pytest.mark.parametrize(
    "reader", ["photos: PNG", "predictions", "scene", "GLB", "codebook", "retrieval head"]
)
def test_every_kind_of_file_has_damage_of_its_own(tmp_path: Path, reader: str) -> None:
    for path in READERS[reader].prepare(tmp_path):
        assert path.suffix in BY_ENDING
        damaged = {mutated(path.name, path.read_bytes(), Random(seed)) for seed in range(30)}
        assert len(damaged) > 15
