"""What an engine is, and the engines by name.

A backend cuts its work into tasks: a module-level function, or an object that is called as one, and an
argument. Both can be pickled, and the answer depends on nothing else, so it does not matter where and when a
task runs: one process, many, or a cluster leave the same bytes in the store. Engines know nothing of photos,
pairs and stores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from masks.errors import UserError
from pairs.engines.processes import Processes
from pairs.engines.ray_engine import Ray

Task = TypeVar("Task")
Result = TypeVar("Result")

ENGINES = ("process", "ray")
"""The names that the command line takes."""


class Workers(Protocol):
    """Whoever runs tasks, as long as a `with` block lasts. They start when the first task comes."""

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Yield function(task) for every task, in the order of the tasks, while later ones still run.

        Each worker is sent the function once, and what the function remembers there (an opened network)
        serves the worker's later tasks; calls with the same function find it again. What a task raises is
        raised here, and the tasks that have not begun are dropped; the death of a worker that nothing mends
        is a `SolverError`.
        """
        ...

    def apart(self, function: Callable[[Task], Result], task: Task) -> Result:
        """Return function(task), from a process of its own that ends with it: for libraries that may crash
        or that install signal handlers. Its death is a `SolverError`.
        """
        ...


class Engine(Protocol):
    """Where tasks run, as plain settings: a backend may carry it along and be compared by it."""

    def start(self) -> AbstractContextManager[Workers]:
        """Return the workers. They end with the block, whatever ends it."""
        ...


def engine_named(name: str, processes: Processes, ray: Callable[[], Ray] = Ray) -> Engine:
    """Return `processes` or what `ray` makes, by the engine's name. Raises `UserError` listing the names when
    there is none of that name, `MissingExtraError` without the package ray.
    """
    if name not in ENGINES:
        raise UserError(f"`engine={name}`: unknown. Choose one of {', '.join(ENGINES)}.")
    return processes if name == "process" else ray()
