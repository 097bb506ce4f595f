"""A disk that refuses, or a process that dies, at the k-th call that changes something.

Only the calls of `masks.disk.whole_file` and what removes files are counted: everything that is written
passes there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from unittest.mock import patch

from masks.disk import whole_file

WRITING = ("open", "write", "fsync", "replace", "mkdir")
"""What a full disk refuses."""
ALL = (*WRITING, "unlink", "rmdir")


class Calls:
    """Counts calls, and acts at one of them."""

    def __init__(self, at: int, act: Callable[[], None], kinds: tuple[str, ...]) -> None:
        self.seen: list[str] = []
        """The calls so far, by their kinds."""
        self._at, self._act, self._kinds = at, act, kinds

    def __call__(self, kind: str) -> None:
        """Count a call."""
        if kind in self._kinds:
            self.seen.append(kind)
            if len(self.seen) == self._at + 1:
                self._act()


def full() -> None:
    """Refuse as a full disk does."""
    raise OSError(errno.ENOSPC, "No space left on device")


def killed() -> None:
    """End this process as SIGKILL does: nothing is cleared away."""
    os._exit(9)


@contextmanager
def fault(at: int, act: Callable[[], None], kinds: tuple[str, ...] = ALL) -> Iterator[Calls]:
    """Let `act` happen in the place of call number `at` of these kinds."""
    calls = Calls(at, act, kinds)

    class File(FileIO):
        def __init__(self, *args: object) -> None:
            calls("open")
            super().__init__(*args)  # pyright: ignore[reportArgumentType]

        def write(self, content) -> int:
            content = memoryview(content)
            done = super().write(content[: len(content) // 2]) if len(content) > 1 else 0
            calls("write")  # half of it is there already
            return done or super().write(content)

    def counted(kind: str) -> Callable[..., object]:
        real = getattr(os, kind)

        def call(*args, **more):
            calls(kind)
            return real(*args, **more)

        return call

    with ExitStack() as stack:
        stack.enter_context(patch.object(whole_file, "FileIO", File))
        for kind in ("fsync", "replace", "mkdir", "unlink", "rmdir"):
            stack.enter_context(patch.object(os, kind, counted(kind)))
        yield calls


def die_at_every_call(work: Callable[[int], None], most: int = 500) -> int:
    """Run work(k) for k = 0, 1, ..., each in a process of its own that dies at its k-th call, until one comes
    to its end; return how many died.
    """
    for k in range(most):
        child = os.fork()
        if child == 0:
            with fault(k, killed):
                work(k)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return k
        if code != 9:
            raise AssertionError(f"the process that should die at call {k} ended with {code}")
    raise AssertionError(f"{most} processes died, and none came to its end")
