"""How much memory is left, and telling memory that ran out from other failures."""

from __future__ import annotations

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
