"""Functions run in other processes."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from masks.errors import ReconstructionError, SolverError
from pairs.engines.engines import engine_named
from pairs.engines.processes import Processes, ProcessWorkers

TWO = Processes(2)


def test_results_come_in_order_whatever_the_number_of_workers() -> None:
    tasks = [(base, 2) for base in range(20)]
    for engine in (Processes(1), TWO):
        with engine.start() as workers:
            assert list(workers.map(_square, tasks)) == [base**2 for base in range(20)]
            assert list(workers.map(len, ["a", "bb", "ccc"])) == [1, 2, 3]


def test_no_more_processes_start_than_there_are_workers_and_one_is_this_very_process() -> None:
    with TWO.start() as workers:
        seen = set(workers.map(_process_id, range(8))) | set(workers.map(_process_id, range(8)))
    assert len(seen) <= 2
    assert os.getpid() not in seen
    with Processes(1).start() as workers:
        assert set(workers.map(_process_id, range(3))) == {os.getpid()}
        assert workers.apart(_process_id, 0) != os.getpid()


def test_what_a_function_remembers_serves_later_tasks_and_later_calls() -> None:
    with TWO.start() as workers:
        counter = _Counter()
        counts = [*workers.map(counter, range(9)), *workers.map(counter, range(9))]
        assert sum(count == 1 for count in counts) <= 2
        assert max(counts) >= 9
        assert list(workers.map(len, ["a", "bb"])) == [1, 2]


def test_what_a_task_raises_is_raised_by_the_caller_with_where_it_was() -> None:
    with TWO.start() as workers, pytest.raises(ReconstructionError, match="task 3") as raised:
        list(workers.map(_fail_at_three, range(6)))
    assert "_fail_at_three" in raised.value.__notes__[0]


def test_the_death_of_a_process_is_an_error_with_its_last_words() -> None:
    with pytest.raises(SolverError, match=r"_die: (.|\n)*exit code 7(.|\n)*out of luck"):
        ProcessWorkers(1).apart(_die, "out of luck")
    with TWO.start() as workers, pytest.raises(SolverError, match="out of luck"):
        list(workers.map(_die, ["out of luck"] * 3))


def test_no_process_is_left_behind() -> None:
    with TWO.start() as workers:
        ids = set(workers.map(_process_id, range(4)))
        ids.add(workers.apart(_process_id, 0))
    assert not any(_runs(process) for process in ids)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed by Linux's /proc")
@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent_however_it_ends(tmp_path: Path, way: signal.Signals) -> None:
    ids = tmp_path / "ids"
    script = _script(
        tmp_path,
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        "from pairs.engines.processes import Processes\n"
        "with Processes(2).start() as workers:\n"
        f"    ids = list(workers.map(os.getpgid, [0, 0]))\n"
        f"    open({str(ids)!r}, 'w').write(str(os.getpid()))\n"
        "    list(workers.map(time.sleep, [3, 3]))\n",
    )
    parent = subprocess.Popen([sys.executable, script], start_new_session=True, stderr=subprocess.DEVNULL)
    _wait_for(lambda: ids.exists() and ids.read_text() != "")
    assert len(_session(parent.pid)) == 3
    parent.send_signal(way)
    parent.wait(timeout=10)
    if way is not signal.SIGKILL:
        assert _session(parent.pid) == set()
    _wait_for(lambda: not _session(parent.pid))


def test_a_script_without_a_main_guard_and_without_input_may_use_the_pool(tmp_path: Path) -> None:
    script = _script(
        tmp_path,
        "from pairs.engines.processes import Processes\nwith Processes(2).start() as workers:\n    "
        "print(list(workers.map(len, ['a', 'bb'])))\n",
    )
    closed = f"exec '{sys.executable}' '{script}' <&-"
    done = subprocess.run(["sh", "-c", closed], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[1, 2]\n"


@pytest.mark.parametrize("interactive", [False, True])
@pytest.mark.parametrize("pythonpath", [False, True])
def test_code_of_the_current_folder_is_not_run(tmp_path, monkeypatch, interactive, pythonpath) -> None:
    here, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir()
    for name in ("pairs", "masks", "numpy", "cv2", "torch", "pickle", "signal"):
        (here / f"{name}.py").write_text(
            f"open({str(tmp_path / 'ran')!r}, 'w').close()\nraise ImportError('no')\n"
        )
    (elsewhere / "of_the_user.py").write_text("NUMBER = 7\n")
    monkeypatch.chdir(here)
    if interactive:
        monkeypatch.syspath_prepend("")
    if pythonpath:
        monkeypatch.setenv("PYTHONPATH", str(elsewhere))
        monkeypatch.syspath_prepend(elsewhere)  # as Python does at its start
    assert ProcessWorkers(1).apart(_import_and_square, "of_the_user" if pythonpath else "colorsys") == 16
    assert not (tmp_path / "ran").exists()


def test_workers_use_one_thread_each() -> None:
    with TWO.start() as workers:
        assert set(workers.map(_threads, range(4))) == {(1, "1")}


def test_printing_does_not_disturb_the_answers() -> None:
    assert ProcessWorkers(1).apart(_print_and_return, 5) == 5


def test_one_process_at_least_works() -> None:
    with pytest.raises(ValueError, match="0 workers"):
        Processes(0)


def test_an_engine_is_found_by_its_name() -> None:
    assert engine_named("process", TWO) is TWO


class _Counter:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _: int) -> int:
        self.calls += 1
        return self.calls


def _square(task: tuple[int, int]) -> int:
    return task[0] ** task[1]


def _import_and_square(module: str) -> int:
    importlib.import_module(module)
    importlib.import_module("numpy")
    return 16


def _process_id(_: int) -> int:
    return os.getpid()


def _threads(_: int) -> tuple[int, str]:
    return cv2.getNumThreads(), os.environ["OMP_NUM_THREADS"]


def _fail_at_three(task: int) -> int:
    if task == 3:
        raise ReconstructionError(f"task {task}")
    return task


def _die(words: str) -> None:
    os.write(2, words.encode())
    os._exit(7)


def _print_and_return(value: int) -> int:
    print("noise")
    os.write(1, b"more noise")
    return value


def _script(folder: Path, text: str) -> Path:
    script = folder / "script.py"
    script.write_text(text)
    return script


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _session(leader: int) -> set[int]:
    """Return the processes of a session that still run."""
    found = set()
    for process in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(state[3]) == leader and state[0] != "Z":
            found.add(process)
    return found


def _wait_for(condition, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)
