"""The store on a disk that fills up, in processes that are killed, and with several writers."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import faulty_disk
import numpy as np
import pytest

from masks.errors import OutputError
from pairs.prediction.store import PredictionStore

ARRAYS = {"a": np.arange(1000.0), "b": np.zeros((3, 0))}


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_disk_that_fills_up_at_any_call_leaves_no_entry_and_nothing_else(tmp_path: Path) -> None:
    refused, at = 0, 0
    while True:
        store = PredictionStore(tmp_path / str(at))
        with faulty_disk.fault(at, faulty_disk.full, faulty_disk.WRITING) as calls:
            try:
                store.put("kind", "key", ARRAYS)
            except OutputError:
                refused += 1
        assert store.has("kind", "key") == (files(store.folder) != [])
        assert files(store.folder) in ([], ["kind/key.safetensors"])
        if len(calls.seen) <= at:
            break
        at += 1
    assert refused >= 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_kill_at_any_call_leaves_no_entry_or_a_whole_one_and_nothing_that_is_not_swept(
    tmp_path: Path,
) -> None:
    """In a process of its own: forking one that has threads is a warning."""
    lines = (
        "import sys; from pathlib import Path; import numpy as np; import faulty_disk",
        "from pairs.prediction.store import PredictionStore",
        "arrays = {'a': np.arange(1000.0)}",
        "work = lambda k: PredictionStore(Path(sys.argv[1]) / str(k)).put('kind', 'key', arrays)",
        "print(faulty_disk.die_at_every_call(work))",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    died = int(done.stdout)
    assert died >= 6
    left, whole = 0, 0
    for k in range(died + 1):
        store = PredictionStore(tmp_path / str(k))
        left += any(name.endswith(".tmp") for name in files(store.folder))
        store.sweep()
        assert files(store.folder) in ([], ["kind/key.safetensors"])
        whole += store.has("kind", "key")
    # Some died with a temporary file, else nothing was tried; the last one did not die.
    assert left > 0
    assert whole == 1


def _keep_writing(folder: Path, rounds: int) -> None:
    for k in range(rounds):
        PredictionStore(folder).put("kind", "key", {"a": np.full(2000, k)})


@pytest.mark.slow
def test_writers_of_one_entry_never_meet(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path)
    store.put("kind", "key", {"a": np.zeros(2000, int)})
    started = multiprocessing.get_context("spawn")
    writers = [started.Process(target=_keep_writing, args=(tmp_path, 150)) for _ in range(3)]
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers):
        found = store.get("kind", "key")
        assert found is not None
        assert len(set(found["a"].tolist())) == 1
        store.sweep()
        reads += 1
    assert reads > 20
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert files(tmp_path) == ["kind/key.safetensors"]
