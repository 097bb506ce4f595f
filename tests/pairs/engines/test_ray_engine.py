"""Functions run by Ray's workers: what processes promise, they promise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from masks.errors import MissingExtraError, ReconstructionError, SolverError, UserError
from pairs.engines.engines import engine_named
from pairs.engines.processes import Processes
from pairs.engines.ray_engine import Ray, RayWorkers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # those of another project's packages
]


@pytest.fixture(scope="module")
def ray() -> Iterator[ModuleType]:
    """A cluster of this machine with two workers' room."""
    ray = pytest.importorskip("ray", reason="ray is not installed (pip install pointloom[distributed])")
    # Workers cannot import a test module by its name.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield ray
    ray.shutdown()


@pytest.fixture
def two(ray: ModuleType) -> Iterator[RayWorkers]:
    with Ray(workers=2).start() as workers:
        yield workers


def test_results_come_in_order_and_from_two_processes(two: RayWorkers) -> None:
    assert list(two.map(_square, range(20))) == [base**2 for base in range(20)]
    ids = set(two.map(_process_id, range(20)))
    assert len(ids) == 2
    assert os.getpid() not in ids
    assert two.apart(_process_id, 0) not in ids | {os.getpid()}


def test_what_a_function_remembers_serves_later_tasks_and_later_calls(two: RayWorkers) -> None:
    counter = _Counter()
    counts = [*two.map(counter, range(9)), *two.map(counter, range(9))]
    assert sum(count == 1 for count in counts) == 2
    assert max(counts) >= 9


def test_arrays_can_be_written_to_here_and_there(two: RayWorkers) -> None:
    (doubled,) = two.map(_double_in_place, [np.ones(1 << 20)])
    doubled += 1
    assert (doubled == 3).all()


def test_relative_paths_and_threads_are_those_of_processes(two: RayWorkers) -> None:
    assert set(two.map(_surroundings, range(4))) == {(os.getcwd(), 1, "1")}


def test_what_a_task_raises_is_raised_by_the_caller(two: RayWorkers) -> None:
    with pytest.raises(ReconstructionError, match=r"^task 3$"):
        list(two.map(_fail_at_three, range(6)))
    assert list(two.map(_square, [5])) == [25]


def test_a_task_whose_worker_dies_is_repeated(two: RayWorkers, tmp_path: Path) -> None:
    assert list(two.map(_die_once, [tmp_path / name for name in "abcd"])) == ["a", "b", "c", "d"]


def test_a_task_that_kills_every_worker_and_one_that_runs_apart_are_errors(ray: ModuleType) -> None:
    with Ray(workers=1).start() as workers:
        with pytest.raises(SolverError, match="_die: its process ended unexpectedly"):
            workers.apart(_die, "a")
        with pytest.raises(SolverError, match="_die: its process ended unexpectedly"):
            list(workers.map(_die, ["a", "b"]))


_ALONE = """
import sys, time
from beside import length
from pairs.engines.ray_engine import Ray
if __name__ == "__main__":
    with Ray(workers=2).start() as workers:
        print(list(workers.map(length, ["a", "bb", "ccc"])), flush=True)
        import ray
        print(ray.cluster_resources()["CPU"], flush=True)
        if sys.argv[1:]:
            list(workers.map(time.sleep, [60, 60]))
    print(ray.is_initialized())
"""


def test_without_an_address_ray_starts_here_and_nothing_of_the_current_folder_is_imported(
    tmp_path: Path,
) -> None:
    pytest.importorskip("ray", reason="ray is not installed (pip install pointloom[distributed])")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "script.py").write_text(_ALONE)
    (tmp_path / "elsewhere" / "beside.py").write_text("def length(text): return len(text)\n")
    for name in ("pairs", "masks", "cv2"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name}.py of the current folder was run')\n")
    done = subprocess.run(
        [sys.executable, "elsewhere/script.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[1, 2, 3]\n2.0\nFalse\n", "")


_LISTENING = """
from pathlib import Path
from pairs.engines.ray_engine import Ray

def listening():
    tables = [Path("/proc/net", name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    return {line.split()[1] for table in tables for line in table if line.split()[3] == "0A"}

before = listening()
with Ray(workers=1).start() as workers:
    list(workers.map(abs, [1]))
    print(*{address.partition(":")[0] for address in listening() - before})
"""


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="sockets are listed by Linux's /proc")
def test_without_an_address_no_other_machine_can_reach_ray(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed (pip install pointloom[distributed])")
    run = [sys.executable, "-c", _LISTENING]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=True)
    # 127.0.0.1, as /proc writes it, plain and in IPv6.
    assert set(done.stdout.split()) <= {"0100007F", "0000000000000000FFFF00000100007F"}, done.stdout


def test_sigterm_does_what_the_program_wants_of_it(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed (pip install pointloom[distributed])")
    script = tmp_path / "script.py"
    (tmp_path / "beside.py").write_text("def length(text): return len(text)\n")
    script.write_text(
        "import signal\nsignal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        f"try:\n    exec({_ALONE!r})\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    )
    program = subprocess.Popen([sys.executable, script, "wait"], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline() == "[1, 2, 3]\n"
    assert program.stdout.readline() == "2.0\n"
    program.send_signal(signal.SIGTERM)
    assert program.communicate(timeout=60)[0] == "interrupted\n"


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pointloom\[distributed\]"):
        engine_named("ray", Processes(1))


def test_an_unknown_engine_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="process, ray"):
        engine_named("magic", Processes(1))


class _Counter:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _: int) -> int:
        self.calls += 1
        return self.calls


def _square(base: int) -> int:
    return base**2


def _process_id(_: int) -> int:
    return os.getpid()


def _surroundings(_: int) -> tuple[str, int, str]:
    return os.getcwd(), cv2.getNumThreads(), os.environ["OMP_NUM_THREADS"]


def _double_in_place(array: np.ndarray) -> np.ndarray:
    array *= 2
    return array


def _fail_at_three(task: int) -> int:
    if task == 3:
        raise ReconstructionError(f"task {task}")
    return task


def _die_once(witness: Path) -> str:
    if not witness.exists():
        witness.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return witness.name


def _die(task: str) -> None:
    os._exit(7)
