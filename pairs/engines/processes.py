"""Tasks in processes of this machine: a small pool of fresh Python interpreters.

Each worker is started as `python -P -m pairs.engines.processes` and speaks pickles over its standard input
and output. Unlike a forked child it inherits no locks of torch's or OpenCV's threads. A worker ends by itself
when its standard input closes, whatever became of the parent.

Why not a library: `concurrent.futures` runs the caller's main program again in every spawned process, so that
a script without a main guard fails. loky (3.7, measured) needs no guard, keeps the order and ends its
processes on Ctrl-C and SIGTERM, but
- when the parent is killed (the kernel short of memory, a notebook's kernel restarted) its workers, two
  helper processes and eight named semaphores stay for good, also with an idle time-out of 10 s; these workers
  end after the task they are at;
- its helper processes import from the folder that the user stands in (a `loky.py` there is executed), and
  no setting for workers reaches them;
- a crash is an exit code: what the process wrote before, all that one learns of an abort inside the mapper,
  went elsewhere;
- a pool of two costs 0.45 s and 0.31 s of processor time to start (here 0.25 s and 0.23 s), a process for
  one call 0.16 s (0.12 s), and 20 arrays of 16 MB there and back 1.2 s (0.7 s).
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import cv2

from masks.disk.temporary_folder import temporary_file
from masks.errors import SolverError
from masks.memory import keep_freed_memory

Task = TypeVar("Task")
Result = TypeVar("Result")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""By which numerical libraries are told how many threads they may use."""
_STDERR_LINES = 12
_MOST_WORKERS = 8
"""Each worker holds whole photos: more of them fill the memory of a large machine sooner than they
save time."""


def default_workers() -> int:
    """Return one worker for each processor core that this process may use, eight at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_WORKERS)


@dataclass(frozen=True, slots=True)
class Processes:
    """The engine of this machine."""

    workers: int = field(default_factory=default_workers)
    """How many processes. One: tasks run in this very process, one after the other."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"{self.workers} workers: at least one process does the work")

    def start(self) -> ProcessWorkers:
        """Return the workers, whose processes start when there is work."""
        return ProcessWorkers(self.workers)


class ProcessWorkers:
    """The processes of one `with` block."""

    def __init__(self, num_workers: int) -> None:
        self._num_workers = num_workers
        self._workers: list[_Worker] = []
        self._idle: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.stop()

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Yield function(task) for every task, in order (see `pairs.engines.engines.Workers`)."""
        if self._num_workers == 1 or len(tasks) < 2:
            with single_threaded():
                yield from map(function, tasks)
            return
        pickled = pickle.dumps(function, protocol=pickle.HIGHEST_PROTOCOL)
        with ThreadPoolExecutor(min(self._num_workers, len(tasks))) as threads:
            pending = [threads.submit(self._run, pickled, task) for task in tasks]
            try:
                for future in pending:
                    yield future.result()
            except GeneratorExit:
                threads.shutdown(wait=False, cancel_futures=True)
                raise
            except BaseException:
                # On Ctrl-C or a failed task nobody waits for the rest: the threads come back as soon as their
                # workers are gone.
                threads.shutdown(wait=False, cancel_futures=True)
                self.__exit__(None, None, None)
                raise

    def apart(self, function: Callable[[Task], Result], task: Task) -> Result:
        """Return function(task), from a process of its own that ends with it."""
        worker = _Worker()
        try:
            return worker.call(pickle.dumps(function, protocol=pickle.HIGHEST_PROTOCOL), task)
        finally:
            worker.stop()

    def _run(self, function: bytes, task: object) -> Any:
        # Lists hand out and take back single elements atomically, so the threads need no lock.
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker()
            self._workers.append(worker)
        result = worker.call(function, task)
        self._idle.append(worker)
        return result


class _Worker:
    """One process that runs functions for its owner."""

    def __init__(self) -> None:
        self._function = b""
        self._stderr = temporary_file()
        self._process = process = subprocess.Popen(
            # Without -P, -m looks for modules in the user's current folder first: a `pairs.py` or `cv2.py`
            # beside the photos would be executed.
            [sys.executable, "-P", "-m", "pairs.engines.processes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={
                **os.environ,
                **dict.fromkeys(THREAD_VARIABLES, "1"),
                "PYTHONPATH": os.pathsep.join(module_folders()),
            },
        )
        if process.stdin is None or process.stdout is None:
            raise SolverError("a worker process has no pipes. This is a fault of the Python installation.")
        self._tasks, self._results = process.stdin, process.stdout

    def call(self, function: bytes, task: object) -> Any:
        """Return what the pickled function gives for a task, computed over there. Raises what the function
        raised, or `SolverError` with the last words of the process when it died.
        """
        try:
            # An equal function is there already, with whatever it has remembered.
            new = function if function != self._function else None
            pickle.dump((new, task), self._tasks, protocol=pickle.HIGHEST_PROTOCOL)
            self._tasks.flush()
            self._function = function
            result, error = pickle.load(self._results)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as broken:
            code = self._process.wait()
            raise died(name_of(pickle.loads(function)), f"exit code {code}", self._last_words()) from broken
        if error is not None:
            raise error
        return result

    def stop(self) -> None:
        """End the process and reap it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._tasks, self._results, self._stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def _last_words(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")


def died(name: str, how: str, words: str) -> SolverError:
    """Return the error of a process that ended while it ran the function of that name; of its last words the
    last lines are shown.
    """
    return SolverError(
        f"{name}: its process ended unexpectedly ({how}). This is memory running out or a crash in a "
        "library; try again with fewer workers or smaller photos. Its last words:\n"
        + "\n".join(words.splitlines()[-_STDERR_LINES:])
    )


def name_of(function: Callable[..., Any]) -> str:
    """Return what a function, or an object that is called as one, is called in messages."""
    return getattr(function, "__name__", type(function).__name__)


def module_folders() -> list[str]:
    """Return where a worker looks for modules: where this process does, in the current folder last.

    The empty entry of an interactive session means that folder. It may be the source tree that is worked in,
    but nothing in it may stand for an installed package.
    """
    return [path for path in sys.path if path] + ([os.getcwd()] if "" in sys.path else [])


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """Let OpenCV use one thread inside the block."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _serve(tasks: BinaryIO, results: BinaryIO) -> None:
    """Answer tasks until the stream of them ends."""
    function: Callable[[Any], Any] | None = None
    while True:
        try:
            new, task = pickle.load(tasks)
        except EOFError:
            return
        answer = io.BytesIO()
        try:
            function = pickle.loads(new) if new is not None else function
            pickle.dump((function(task), None), answer, protocol=pickle.HIGHEST_PROTOCOL)  # pyright: ignore[reportOptionalCall]
        except Exception as error:  # noqa: BLE001 - carried over to the caller, who raises it
            error.add_note(f"In a worker process:\n{traceback.format_exc()}")
            answer = io.BytesIO(pickle.dumps((None, error)))
        results.write(answer.getvalue())
        results.flush()


def _main() -> None:
    # Ctrl-C and the end of a terminal or a service reach the whole group of processes; the parent decides
    # what becomes of the workers.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # What a library prints to standard output must not run into the answers.
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    cv2.setNumThreads(1)
    keep_freed_memory()
    _serve(sys.stdin.buffer, results)


if __name__ == "__main__":
    _main()
