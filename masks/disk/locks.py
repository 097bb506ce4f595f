"""Locks that tell what a living run uses from what a killed one left behind.

The owner of a temporary file or folder holds a lock. The kernel takes it back whatever ends the process,
SIGKILL too. A process id in the name would say less: ids are used again, and the programs of two containers
that share a folder are all number 1.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing is held there, and nothing is swept
    fcntl = None


def hold(descriptor: int) -> bool:
    """Lock an open file until it is closed. Tell whether that is done and the file still in its folder:
    whoever sweeps may have met it in the moment after it was made.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: nobody can sweep there either
    return os.fstat(descriptor).st_nlink > 0


@contextlib.contextmanager
def abandoned(path: Path) -> Iterator[bool]:
    """Yield whether a file that was held has no owner any more. It is this user's own then, no link, and
    cannot be held by anybody within the block.
    """
    if fcntl is None:
        yield False
        return
    with contextlib.ExitStack() as stack:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = os.fstat(descriptor).st_uid == os.getuid()
        except OSError:
            free = False
        yield free


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until nobody else is in such a block with the same folder, where the system can tell."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
