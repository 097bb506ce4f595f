"""Functions run in other processes."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

from masks.errors import ReconstructionError, SolverError
from pairs.engines.processes import WorkerPool, call_in_child


def test_results_come_in_order_whatever_the_number_of_workers() -> None:
    tasks = [(base, 2) for base in range(20)]
    for num_workers in (1, 2):
        with WorkerPool(num_workers) as pool:
            assert list(pool.map(_square, tasks)) == [base**2 for base in range(20)]
            assert list(pool.map(len, ["a", "bb", "ccc"])) == [1, 2, 3]


def test_a_pool_starts_no_more_processes_than_it_has_workers() -> None:
    with WorkerPool(2) as pool:
        seen = set(pool.map(_process_id, range(8))) | set(pool.map(_process_id, range(8)))
    assert len(seen) <= 2
    assert os.getpid() not in seen


def test_what_a_task_raises_is_raised_by_the_caller() -> None:
    with WorkerPool(2) as pool, pytest.raises(ReconstructionError, match="task 3"):
        list(pool.map(_fail_at_three, range(6)))


def test_the_death_of_a_process_is_an_error_with_its_last_words() -> None:
    with pytest.raises(SolverError, match=r"exit code 7(.|\n)*out of luck"):
        call_in_child(_die, "out of luck")


def test_no_process_is_left_behind() -> None:
    with WorkerPool(2) as pool:
        ids = set(pool.map(_process_id, range(4)))
    for process in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_script_without_a_main_guard_may_use_the_pool(tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from pairs.engines.processes import WorkerPool\nwith WorkerPool(2) as pool:\n    "
        "print(list(pool.map(len, ['a', 'bb'])))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
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
    assert call_in_child(_import_and_square, "of_the_user" if pythonpath else "colorsys") == 16
    assert not (tmp_path / "ran").exists()


def test_printing_does_not_disturb_the_answers() -> None:
    assert call_in_child(_print_and_return, 5) == 5


def _square(task: tuple[int, int]) -> int:
    return task[0] ** task[1]


def _import_and_square(module: str) -> int:
    importlib.import_module(module)
    importlib.import_module("numpy")
    return _square((4, 2))


def _process_id(_: int) -> int:
    return os.getpid()


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
