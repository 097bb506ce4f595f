"""Tasks on Ray, on this machine or on a cluster.

Without an address Ray starts on this machine, where no other can reach it, with room for as many workers as
processes would have, and ends with the work. The environment variable RAY_ADDRESS, or a program that is
connected already, names a cluster; then photos, weights and the store must lie under the same paths on all
its machines.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self, TypeVar

import cv2

from masks.errors import MissingExtraError
from pairs.engines.processes import THREAD_VARIABLES, default_workers, died, module_folders, name_of

Task = TypeVar("Task")
Result = TypeVar("Result")

_RETRIES = 3
"""How often a task is repeated whose worker died. Clusters lose machines; a task that kills every worker it
meets is at fault itself."""


@dataclass(frozen=True, slots=True)
class Ray:
    """The engine of a cluster. Raises `MissingExtraError` without the package ray."""

    workers: int | None = None
    """How many; none: on this machine as many as processes, on a cluster as many as it has room for."""
    threads: int = 1
    """Processor cores of each worker, and threads of its numerical libraries: sums of another number of
    threads are rounded otherwise."""
    accelerator: bool = False
    """Whether each worker occupies an accelerator."""

    def __post_init__(self) -> None:
        _ray()

    def start(self) -> RayWorkers:
        """Return the workers, which start when there is work."""
        return RayWorkers(self)


class RayWorkers:
    """The workers of one `with` block."""

    def __init__(self, engine: Ray) -> None:
        self._engine = engine
        self._ours = False
        self._workers: list[Any] = []
        self._sent: tuple[object, Any] = (None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            _ray().kill(worker)
        self._workers = []
        if self._ours:
            _ray().shutdown()

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Yield function(task) for every task, in order (see `pairs.engines.engines.Workers`)."""
        if not tasks:
            return
        self._connect()
        from ray.util import ActorPool

        workers, sent = self._hired(), self._send(function)
        answers = ActorPool(workers).map(lambda worker, task: worker.run.remote(sent, _pickled(task)), tasks)
        with _told_as_ours(function):
            for answer in answers:
                yield pickle.loads(answer)

    def apart(self, function: Callable[[Task], Result], task: Task) -> Result:
        """Return function(task), from a process of its own that ends with it."""
        self._connect()
        # It occupies no core: the others have them all, and wait.
        worker = self._hire(cores=0, restarts=0)
        try:
            with _told_as_ours(function):
                return pickle.loads(_ray().get(worker.run.remote(self._send(function), _pickled(task))))
        finally:
            _ray().kill(worker)

    def _connect(self) -> None:
        ray = _ray()
        if ray.is_initialized():
            return
        self._ours = True
        # It reports its use to its makers otherwise.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        here: dict[str, Any] = {"include_dashboard": False}
        if "RAY_ADDRESS" not in os.environ:
            # Without "local" any cluster that somebody has started on this machine would be taken.
            cores = (self._engine.workers or default_workers()) * self._engine.threads
            here |= {"address": "local", "num_cpus": cores}
        # Ray puts the current folder first on the path that its workers import from. It is the user's, and a
        # file `pairs.py` there is none of ours.
        with contextlib.chdir(Path(__file__).parents[2]), _signals_kept():
            ray.init(log_to_driver=False, logging_level="error", **here)

    def _hired(self) -> list[Any]:
        """Return the workers, started if this is the first work."""
        if not self._workers:
            engine, room = self._engine, _ray().cluster_resources()
            most = room.get("GPU", 0) if engine.accelerator else room.get("CPU", 1) // engine.threads
            self._workers = [
                self._hire(engine.threads, restarts=-1) for _ in range(max(1, int(engine.workers or most)))
            ]
        return self._workers

    def _hire(self, cores: int, restarts: int) -> Any:
        engine = self._engine
        needs = {
            "num_cpus": cores,
            "num_gpus": int(engine.accelerator),
            "max_restarts": restarts,
            "max_task_retries": _RETRIES if restarts else 0,
            "runtime_env": {"env_vars": dict.fromkeys(THREAD_VARIABLES, str(engine.threads))},
        }
        own = [path for path in module_folders() if not path.startswith((sys.prefix, sys.base_prefix))]
        return _ray().remote(**needs)(_Worker).remote(os.getcwd(), own)

    def _send(self, function: Callable[..., Any]) -> list[Any]:
        """Return a reference to the function, the same for the same one; in a list, so that Ray does not
        unpack it for each task.
        """
        if self._sent[0] is not function:
            self._sent = (function, [_ray().put(function)])
        return self._sent[1]


class _Worker:
    """What runs in a process of Ray's. Arguments and answers are pickled by hand: what Ray hands over itself
    are arrays that cannot be written to.
    """

    def __init__(self, folder: str, own: list[str]) -> None:
        # What the caller can import, such as a module beside its script, can be imported here; but nothing in
        # these folders may stand for an installed package.
        sys.path += [path for path in own if path not in sys.path]
        # Relative paths mean the same as to the caller, if this machine has the folder.
        with contextlib.suppress(FileNotFoundError):
            os.chdir(folder)
        cv2.setNumThreads(1)
        self._sent: object = None
        self._function: Callable[[Any], Any] = _pickled

    def run(self, sent: list[Any], task: bytes) -> bytes:
        """Return the pickled answer to a pickled task."""
        if sent[0] != self._sent:
            self._function, self._sent = _ray().get(sent[0]), sent[0]
        return _pickled(self._function(pickle.loads(task)))


def _pickled(thing: object) -> bytes:
    return pickle.dumps(thing, protocol=pickle.HIGHEST_PROTOCOL)


def _ray() -> ModuleType:
    if "RAY_ADDRESS" not in os.environ and "ray" not in sys.modules:
        # Ray listens on all addresses of the machine otherwise, and asks nobody for a password. This variable
        # of its own, read at the import, is what keeps its six ports to the loopback address (2.60).
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            "`engine=ray`: the package ray is not installed. Run 'pip install pointloom[distributed]'."
        ) from error
    return ray


@contextlib.contextmanager
def _told_as_ours(function: Callable[..., Any]) -> Iterator[None]:
    """Raise what a task raised as it was, and the death of a worker as processes tell it."""
    errors = _ray().exceptions
    try:
        yield
    except errors.RayTaskError as error:
        raise error.cause from None
    except (errors.RayActorError, errors.OutOfMemoryError) as error:
        raise died(name_of(function), "on Ray", str(error)) from error


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Let SIGTERM do after the block what it did before: Ray answers it by leaving at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
