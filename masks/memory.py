"""Memory that is left, memory that ran out, and what becomes of memory that was freed."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from pathlib import Path

_WORDS = (
    "out of memory",  # torch on accelerators
    "DefaultCPUAllocator",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "Insufficient memory",  # OpenCV
    "Cannot allocate memory",  # the loader of a library's parts
    "failed to map segment",
    "can't start new thread",
)

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's settings (malloc.h)."""
_KEPT, _LARGEST_KEPT = 64 << 20, 32 << 20
"""Bytes in all and of one array, which is the most that glibc allows."""


def keep_freed_memory() -> None:
    """Let this process keep the memory of arrays that are gone, up to 64 MB, for the next ones.

    glibc gives it back at once, and the kernel clears every page of the next array: windows of a plane of
    512 x 384 pixels take 3.7 ms so, and 1.9 ms with this. Under other C libraries nothing happens.
    """
    with contextlib.suppress(OSError, TypeError, AttributeError):
        set_option = ctypes.CDLL(None).mallopt
        # Setting one of them ends the other's own adjustment.
        set_option(_MMAP_THRESHOLD, _LARGEST_KEPT)
        set_option(_TRIM_THRESHOLD, _KEPT)


def give_back_freed_memory() -> None:
    """Give the memory of arrays that are gone back to the system, before a stage that needs other sizes."""
    with contextlib.suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error is that of an accelerator's memory or of the machine's."""
    # Most libraries raise plain errors, which only their words tell from faults.
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or any(words in str(error) for words in _WORDS)
    )


def free_memory() -> float | None:
    """Return the bytes that can still be taken; none where nobody tells."""
    known = [bytes_ for bytes_ in (_of_machine(), container_memory()) if bytes_ is not None]
    return min(known, default=None)


def _of_machine() -> float | None:
    """Return what the machine has left, caches that it can drop included."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(
            (1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None
        )
    except OSError:
        # Elsewhere only the memory of the whole machine is told, of which half may be taken.
        return (
            os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2 if hasattr(os, "sysconf") else None
        )


def container_memory(folder: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return what a container has left of its limit; none without one."""
    try:
        limit, used = ((folder / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return float(limit) - float(used) if limit.isdigit() else None
