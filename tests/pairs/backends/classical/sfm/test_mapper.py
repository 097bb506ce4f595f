"""The mapper on made-up matches with known cameras."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from turning_cameras import seen_from_above

from masks.errors import SolverError
from pairs.backends.classical.sfm.mapper import CameraStart, MapperJob, MapperModel, solve_apart
from pairs.backends.classical.sfm.verification import VerifiedPair, verify_pair
from pairs.engines.processes import ProcessWorkers

pytest.importorskip("pycolmap", reason="the scene solve needs pycolmap")

SIZE, FOCAL = (640, 480), 900.0
K = np.array([[FOCAL, 0, 319.5], [0, FOCAL, 239.5], [0, 0, 1]])
POINTS = np.random.default_rng(5).uniform(-1, 1, (150, 3))


def job(angles: list[float], intrinsics: np.ndarray = K, **camera: object) -> MapperJob:
    """All points seen by all views, exact to 0.1 px."""
    noise = np.random.default_rng(6)
    xy = []
    for angle in angles:
        pose = seen_from_above(angle)
        projected = (POINTS @ pose[:3, :3].T + pose[:3, 3]) @ intrinsics.T
        xy.append(
            (projected[:, :2] / projected[:, 2:] + noise.normal(0, 0.1, (len(POINTS), 2))).astype(np.float32)
        )
    every = np.stack([np.arange(len(POINTS))] * 2, axis=1).astype(np.int32)
    pairs: dict[tuple[int, int], VerifiedPair] = {}
    for a, b in combinations(range(len(angles)), 2):
        verified = verify_pair(xy[a], xy[b], every, 1.0)
        assert verified is not None
        pairs[a, b] = verified
    guess = np.array([[768.0, 0, 319.5], [0, 768.0, 239.5], [0, 0, 1]])
    start = CameraStart(SIZE, **{"K": guess, "prior": False, "fixed": False, **camera})
    return MapperJob(tuple(xy), (start,), (0,) * len(angles), pairs, seed=0)


def solved(job: MapperJob) -> MapperModel:
    model = solve_apart(job, ProcessWorkers(1))
    assert model is not None
    return model


def largest_turn_error_deg(model: MapperModel, angles: list[float]) -> float:
    """Largest error of the turn from the first view to any other."""
    R = model.cameras.cam_from_world[:, :3, :3]
    true = np.stack([seen_from_above(angle)[:3, :3] for angle in angles])
    off = (R @ R[0].T) @ (true @ true[0].T).transpose(0, 2, 1)
    return float(np.rad2deg(np.arccos(np.clip((np.trace(off, axis1=1, axis2=2) - 1) / 2, -1, 1))).max())


def test_cameras_and_focal_are_found_and_runs_agree_to_the_bit() -> None:
    angles = [0.0, 10, 20, 30, 40]
    task = job(angles)
    model, again = solved(task), solved(task)
    assert model.placed == (0, 1, 2, 3, 4)
    assert largest_turn_error_deg(model, angles) < 0.1
    assert model.cameras.K[0, 0, 0] == pytest.approx(FOCAL, rel=0.01)
    np.testing.assert_allclose(model.cameras.K[:, :2, 2], np.tile((319.5, 239.5), (5, 1)))
    assert np.array_equal(model.cameras.cam_from_world, again.cameras.cam_from_world)
    assert np.array_equal(model.points, again.points)


def test_observations_lie_where_their_points_project() -> None:
    task = job([0.0, 10, 20])
    model = solved(task)
    in_cam = np.einsum(
        "mij,mj->mi",
        model.cameras.cam_from_world[model.observed_by, :3, :3],
        model.points[model.observed_point],
    )
    projected = (in_cam + model.cameras.cam_from_world[model.observed_by, :3, 3]) @ model.cameras.K[0].T
    measured = np.stack(
        [task.xy[by][feature] for by, feature in zip(model.observed_by, model.observed_feature)]
    )
    # Half a pixel lost on the way to COLMAP or back would show as a mean offset.
    np.testing.assert_allclose((projected[:, :2] / projected[:, 2:] - measured).mean(0), 0, atol=0.02)


def test_stated_intrinsics_are_kept() -> None:
    stated = np.array([[900.0, 0, 300], [0, 910, 260], [0, 0, 1]])
    angles = [0.0, 12, 24]
    model = solved(job(angles, stated, K=stated, prior=True, fixed=True))
    np.testing.assert_allclose(model.cameras.K, np.tile(stated, (3, 1, 1)), atol=1e-9)
    assert largest_turn_error_deg(model, angles) < 0.1


def test_two_views_make_a_scene_and_keep_their_focal() -> None:
    angles = [0.0, 15]
    model = solved(job(angles, K=K))
    assert model.placed == (0, 1)
    assert model.cameras.K[0, 0, 0] == FOCAL
    assert largest_turn_error_deg(model, angles) < 0.3
    assert len(model.points) > 50


def test_matches_that_say_nothing_give_no_model() -> None:
    task = job([0.0, 0.0])
    without = MapperJob(task.xy, task.cameras, task.camera_of_view, {}, 0)
    assert solve_apart(without, ProcessWorkers(1)) is None


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found in /proc")
@pytest.mark.parametrize(
    ("number", "error"),
    [(signal.SIGKILL, SolverError), (signal.SIGINT, KeyboardInterrupt)],
    ids=["killed", "interrupted"],
)
def test_a_mapper_that_is_stopped_leaves_no_folder_and_no_process_behind(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interruptible: None,
    number: int,
    error: type[BaseException],
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    task, found = job([0.0, 10, 20]), []
    stopping = threading.Thread(target=lambda: found.extend(stop_when_it_writes(tmp_path, number)))
    stopping.start()
    with pytest.raises(error) as raised:
        solve_apart(task, ProcessWorkers(1))
    stopping.join()
    if number == signal.SIGKILL:
        assert "run_mapper: its process ended unexpectedly (exit code -9)" in str(raised.value)
    assert len(found) == 1
    assert not Path(f"/proc/{found[0]}").exists()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Answer interrupts also where the tests were started in the background, which ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def stop_when_it_writes(folder: Path, number: int) -> list[int]:
    """Kill the mapper's process as soon as it writes a file, or interrupt this one; return its id."""
    started = time.monotonic()
    while not any(folder.glob("*/*")) and time.monotonic() - started < 60:
        time.sleep(0.001)
    listed = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children")).split()
    mappers = [
        int(k) for k in listed if b"pairs.engines.processes" in Path(f"/proc/{k}/cmdline").read_bytes()
    ]
    for process in mappers:
        # Interrupted means: while the mapper is at work. Halted, it cannot be done before the signal comes.
        os.kill(process, signal.SIGKILL if number == signal.SIGKILL else signal.SIGSTOP)
    if number == signal.SIGINT:
        os.kill(os.getpid(), signal.SIGINT)
    return mappers
