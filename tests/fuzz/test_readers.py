"""Damaged and hostile files end in an error of ours, in time, in memory, and start nothing."""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import signal
import sys
from multiprocessing import forkserver
from pathlib import Path

import campaign
import pytest
from readers import READERS

_FORKED = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module", autouse=True)
def _torch_is_imported_once() -> None:
    """Start the process that all campaigns are forked from."""
    _FORKED.set_forkserver_preload(["campaign"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        forkserver.ensure_running()


@pytest.mark.slow
@pytest.mark.parametrize("reader", list(READERS))
def test_a_damaged_file_is_refused_or_read(
    reader: str, tmp_path: Path, request: pytest.FixtureRequest, record_property
) -> None:
    if "HEIC" in reader and importlib.util.find_spec("pillow_heif") is None:
        pytest.skip("HEIC is an extra (pip install pointloom[heic])")
    if "COLMAP" in reader and importlib.util.find_spec("pycolmap") is None:
        pytest.skip("pycolmap, which writes the models, has no wheel here")
    seed, count = (request.config.getoption(name) for name in ("--fuzz-seed", "--fuzz-count"))
    process = _FORKED.Process(target=campaign.run, args=(reader, seed, count, tmp_path))
    process.start()
    process.join()
    if process.exitcode != 0:
        at = tmp_path / "number"
        where = f"file {int(at.read_bytes())} (seed {seed})" if at.exists() else "the whole files"
        hung = process.exitcode == -signal.SIGPROF
        pytest.fail(f"{where}: {'took over 10 s' if hung else f'the process ended, {process.exitcode}'}")
    tally = campaign.Tally(**json.loads((tmp_path / "tally.json").read_text()))
    record_property("fuzz", [reader, tally.tried, tally.clean, tally.accepted])
    assert not tally.failures, "\n\n".join(tally.failures)
    assert tally.clean > 0
