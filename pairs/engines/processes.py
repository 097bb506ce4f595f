"""Functions run in other processes: a small pool of fresh Python interpreters.

Each worker is started as `python -m pairs.engines.processes` and speaks pickles over its standard input and
output. Unlike a forked child it inherits no locks of torch's or OpenCV's threads. A worker ends by itself
when its standard input closes, whatever became of the parent.

The pools of `concurrent.futures` and loky would not do: the former's spawned processes run the caller's main
program again, so that a script without a main guard fails, and neither hands over what a process wrote before
it crashed, which is all that one learns of an abort inside the mapper.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import cv2

from masks.errors import SolverError

Task = TypeVar("Task")
Result = TypeVar("Result")

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}
_STDERR_LINES = 12
_MOST_WORKERS = 8
"""Each worker holds whole photos: more of them fill the memory of a large machine sooner than they
save time."""


def default_workers() -> int:
    """Return one worker for each processor core that this process may use, eight at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_WORKERS)


class WorkerPool:
    """Runs module-level functions on many tasks. One worker means this very process; results come in the
    order of the tasks either way.
    """

    def __init__(self, num_workers: int) -> None:
        self._num_workers = num_workers
        self._workers: list[Worker] = []
        self._idle: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.stop()

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Yield function(task) for every task, in order. What a task raises is raised here; the death of a
        worker is a `SolverError`.
        """
        if self._num_workers == 1 or len(tasks) < 2:
            with single_threaded():
                yield from map(function, tasks)
            return
        with ThreadPoolExecutor(min(self._num_workers, len(tasks))) as threads:
            pending = [threads.submit(self._run, function, task) for task in tasks]
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

    def _run(self, function: Callable[[Task], Result], task: Task) -> Result:
        # Lists hand out and take back single elements atomically, so the threads need no lock.
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = Worker()
            self._workers.append(worker)
        result = worker.call(function, task)
        self._idle.append(worker)
        return result


class Worker:
    """One process that runs functions for its owner."""

    def __init__(self) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process that writes it
        self._process = process = subprocess.Popen(
            # Without -P, -m looks for modules in the user's current folder first: a `pairs.py` or `cv2.py`
            # beside the photos would be executed.
            [sys.executable, "-P", "-m", "pairs.engines.processes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={
                **os.environ,
                **_ONE_THREAD,
                "PYTHONPATH": os.pathsep.join(_module_folders()),
            },
        )
        if process.stdin is None or process.stdout is None:
            raise SolverError("a worker process has no pipes. This is a fault of the Python installation.")
        self._tasks, self._results = process.stdin, process.stdout

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def call(self, function: Callable[[Task], Result], task: Task) -> Result:
        """Return function(task), computed over there. Raises what the function raised, or `SolverError` with
        its last words when it died.
        """
        try:
            pickle.dump((function, task), self._tasks, protocol=pickle.HIGHEST_PROTOCOL)
            self._tasks.flush()
            result, error = pickle.load(self._results)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as broken:
            code = self._process.wait()
            raise SolverError(
                f"{function.__name__}: its process ended unexpectedly (exit code {code}). This is memory "
                "running out or a crash in a library; "
                f"try again with fewer workers or smaller photos. Its last words:\n{self.last_words()}"
            ) from broken
        if error is not None:
            raise error
        return result

    def last_words(self) -> str:
        """Return the last lines that the process wrote to standard error."""
        self._stderr.seek(0)
        return "\n".join(self._stderr.read().decode(errors="replace").splitlines()[-_STDERR_LINES:])

    def stop(self) -> None:
        """End the process and reap it."""
        if self.alive:
            self._process.kill()
        self._process.wait()
        for stream in (self._tasks, self._results, self._stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def _module_folders() -> list[str]:
    """Return where a worker looks for modules: where this process does, in the current folder last.

    The empty entry of an interactive session means that folder. It may be the source tree that is worked in,
    but nothing in it may stand for an installed package.
    """
    return [path for path in sys.path if path] + ([os.getcwd()] if "" in sys.path else [])


def call_in_child(function: Callable[[Task], Result], task: Task) -> Result:
    """Return function(task), computed in a process of its own that ends with it."""
    worker = Worker()
    try:
        return worker.call(function, task)
    finally:
        worker.stop()


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """Let OpenCV use one thread inside the block."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def serve(tasks: BinaryIO, results: BinaryIO) -> None:
    """Answer tasks until the stream of them ends."""
    while True:
        try:
            function, task = pickle.load(tasks)
        except EOFError:
            return
        results.write(_answer(function, task))
        results.flush()


def _answer(function: Callable[[Any], Any], task: Any) -> bytes:
    answer = io.BytesIO()
    try:
        pickle.dump((function(task), None), answer, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001 - carried over to the caller, who raises it
        return pickle.dumps((None, error))
    return answer.getvalue()


def _main() -> None:
    # Ctrl-C reaches the whole process group; the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a library prints to standard output must not run into the answers.
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    cv2.setNumThreads(1)
    serve(sys.stdin.buffer, results)


if __name__ == "__main__":
    _main()
